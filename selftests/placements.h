/* SPDX-License-Identifier: GPL-2.0 */
/* What the tests of placements share: the check guest's regions, and content. */
#ifndef _SELFTESTS_PLACEMENTS_H
#define _SELFTESTS_PLACEMENTS_H

#include "control.h"
#include "heap.h"

#define MAX_ORDER	"/sys/module/pfnmap_heap/parameters/max_order"
#define PMD_ORDER	9

/* See testbed/check. */
#define CARVE_BASE	0x70000000ULL
#define CARVE_SIZE	(128 * MIB)
#define VRAM_SIZE	(64 * MIB)

static inline char *map_aligned(int fd, size_t size)
{
	return mmap(reserve(size, 0), size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		    fd, 0);
}

static inline uint64_t word(size_t off, unsigned int seed)
{
	return (off + seed) * 0x9e3779b97f4a7c15ULL;
}

/* Accesses that the compiler leaves alone. */
static inline void put(char *map, size_t off, uint64_t value)
{
	__atomic_store_n((uint64_t *)(map + off), value, __ATOMIC_RELAXED);
}

static inline uint64_t get(const char *map, size_t off)
{
	return __atomic_load_n((const uint64_t *)(map + off), __ATOMIC_RELAXED);
}

static inline void fill(char *map, size_t size, unsigned int seed)
{
	for (size_t off = 0; off < size; off += 64)
		put(map, off, word(off, seed));
}

/* Offset of the first word that is not as filled, or @size. */
static inline size_t differs(const char *map, size_t size, unsigned int seed)
{
	size_t off;

	for (off = 0; off < size; off += 64)
		if (get(map, off) != word(off, seed))
			break;
	return off;
}

/* Is all of the carveout to be had? Then nothing of it is lost. */
static inline bool carve_is_free(int dev)
{
	struct controlled c;

	if (control_alloc(dev, "pfnmap", "carve", CARVE_SIZE, &c))
		return false;
	control_free(&c);
	return true;
}

#endif
