// SPDX-License-Identifier: GPL-2.0
/*
 * Data that tells where in the buffer it belongs. The window is filled
 * entirely; of the rest one word a page is enough to notice a page that was
 * lost, zeroed or exchanged, and keeps a cell cheap under emulation.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "gup_surface.h"

#define PAGE 4096

static __u64 word(size_t offset)
{
	return (offset + 1) * 0x9e3779b97f4a7c15ULL;
}

void pattern_fill(unsigned char *map, size_t size)
{
	size_t i;

	for (i = 0; i < WINDOW; i += sizeof(__u64))
		*(__u64 *)(map + i) = word(i);
	for (; i < size; i += PAGE)
		*(__u64 *)(map + i) = word(i);
}

/* @data starts where the window does, but may be a copy of it. */
bool pattern_window_ok(const void *data, size_t len)
{
	const __u64 *p = data;
	size_t i;

	for (i = 0; i < len; i += sizeof(*p))
		if (p[i / sizeof(*p)] != word(i))
			return false;
	return true;
}

bool pattern_rest_ok(const unsigned char *map, size_t size)
{
	size_t i;

	for (i = WINDOW; i < size; i += PAGE)
		if (*(const __u64 *)(map + i) != word(i))
			return false;
	return true;
}

void inverse_fill(void *data, size_t len)
{
	__u64 *p = data;
	size_t i;

	for (i = 0; i < len; i += sizeof(*p))
		p[i / sizeof(*p)] = ~word(i);
}

bool inverse_ok(const void *data, size_t len)
{
	const __u64 *p = data;
	size_t i;

	for (i = 0; i < len; i += sizeof(*p))
		if (p[i / sizeof(*p)] != ~word(i))
			return false;
	return true;
}

/* Ordinary memory, aligned for O_DIRECT; it goes with its process. */
void *anon_buffer(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}
