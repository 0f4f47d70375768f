/* SPDX-License-Identifier: GPL-2.0 */
/* What the benchmarks share. In a guest whose clock counts instructions, ns are those. */
#ifndef _SELFTESTS_BENCH_H
#define _SELFTESTS_BENCH_H

#include <time.h>

#include "util.h"

#define RUNS	5

static inline uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* One line a figure, which testbed/bench-report reads. */
static inline void figure(const char *metric, const char *subject, size_t size,
			  uint64_t value, const char *unit)
{
	printf("%s %s %zu %lu %s\n", metric, subject, size, value, unit);
	fflush(stdout);
}

static inline int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static inline uint64_t median(uint64_t *v)
{
	qsort(v, RUNS, sizeof(*v), compare);
	return v[RUNS / 2];
}

/* The time it takes to write to each page. */
static inline uint64_t touch(char *map, size_t size)
{
	uint64_t start = now();

	for (size_t off = 0; off < size; off += PAGE)
		poke(map + off, 1);
	return now() - start;
}

#endif
