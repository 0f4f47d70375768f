/* SPDX-License-Identifier: GPL-2.0 */
/* What the tests of the heap share. */
#ifndef _SELFTESTS_HEAP_H
#define _SELFTESTS_HEAP_H

#include <dirent.h>
#include <sys/sysinfo.h>
#include <time.h>

#include "util.h"

#define MIB		(PMD / 2)
#define COMPACT_LOCKED	"/proc/sys/vm/compact_unevictable_allowed"
#define POOL_MIB	"/sys/module/pfnmap_heap/parameters/pool_mib"
#define CORE_ACCOUNTING	"/sys/module/dma_heap/parameters/mem_accounting"
#define OWN_ACCOUNTING	"/sys/module/pfnmap_heap/parameters/mem_accounting"
#define CGROUPS		"/sys/fs/cgroup"
#define CGROUP		CGROUPS "/dma_heap_test"

/* The number behind @key in a file, or the file's first without a key. */
static inline long read_number(const char *path, const char *key)
{
	size_t len = key ? strlen(key) : 0;
	FILE *f = fopen(path, "re");
	char line[512];
	long n = -1;

	while (f && n < 0 && fgets(line, sizeof(line), f))
		if (!key || (!strncmp(line, key, len) && line[len] == ' '))
			n = atol(line + len);
	if (f)
		fclose(f);
	return n;
}

/* 1 or 0 as a boolean module parameter is on or off, -1 without it. */
static inline int read_bool(const char *path)
{
	FILE *f = fopen(path, "re");
	int c = f ? fgetc(f) : 0;

	if (f)
		fclose(f);
	return c ? c == 'Y' : -1;
}

/* Are buffers charged? Then the pool is not used: they would stay so. */
static inline bool accounting(void)
{
	return read_bool(CORE_ACCOUNTING) == 1 || read_bool(OWN_ACCOUNTING) == 1;
}

static inline int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

static inline double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static inline unsigned long total_ram(void)
{
	struct sysinfo si;

	sysinfo(&si);
	return si.totalram * si.mem_unit;
}

static inline long free_mib(void)
{
	struct sysinfo si;

	sysinfo(&si);
	return si.freeram * si.mem_unit / MIB;
}

/* 0 or -errno; @arg as it is, whatever @cmd says its size were. */
static inline int heap_ioctl(int dev, unsigned long cmd, void *arg)
{
	return ioctl(dev, cmd, arg) ? -errno : 0;
}

/* A new buffer's fd or -errno. */
static inline int alloc_from(int dev, uint64_t len, unsigned int fd_flags)
{
	struct dma_heap_allocation_data data = { .len = len, .fd_flags = fd_flags };
	int ret = heap_ioctl(dev, DMA_HEAP_IOCTL_ALLOC, &data);

	return ret ?: (int)data.fd;
}

static inline char *map(int fd, size_t len)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

static inline bool is_filled(const char *p, char with, size_t len)
{
	return p[0] == with && !memcmp(p, p + 1, len - 1);
}

#endif
