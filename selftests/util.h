/* SPDX-License-Identifier: GPL-2.0 */
/* What the test programs share: buffers, and a look at page table entries. */
#ifndef _SELFTESTS_UTIL_H
#define _SELFTESTS_UTIL_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <linux/dma-heap.h>

#include "exporter_test.h"
#include "pfnmap_probe.h"

#define PAGE	4096UL
#define PMD	(2UL << 20)

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif

/* A buffer of a heap: its fd, or -1 with errno set. */
static inline int heap_alloc(const char *heap, uint64_t len, unsigned int fd_flags)
{
	struct dma_heap_allocation_data data = { .len = len, .fd_flags = fd_flags };
	char path[64];
	int fd, ret, err;

	snprintf(path, sizeof(path), "/dev/dma_heap/%s", heap);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ret = ioctl(fd, DMA_HEAP_IOCTL_ALLOC, &data);
	err = errno;
	close(fd);
	errno = err;
	return ret ? -1 : (int)data.fd;
}

static inline int pfnmap_alloc(uint64_t len)
{
	return heap_alloc("pfnmap", len, O_RDWR | O_CLOEXEC);
}

/* An address aligned to a PMD, plus @offset, with @len bytes free behind it. */
static inline char *reserve(size_t len, size_t offset)
{
	char *p = mmap(NULL, len + 2 * PMD, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	return (char *)(((uintptr_t)p + PMD - 1) & ~(PMD - 1)) + offset;
}

/* Accesses that the compiler leaves alone. */
static inline void poke(char *addr, char value)
{
	__atomic_store_n(addr, value, __ATOMIC_RELAXED);
}

static inline char peek(const char *addr)
{
	return __atomic_load_n(addr, __ATOMIC_RELAXED);
}

static inline struct pfnmap_probe probe_after(const void *addr, enum pfnmap_probe_first first,
					      uint64_t pfn)
{
	struct pfnmap_probe p = { .addr = (uintptr_t)addr, .first = first, .pfn = pfn };
	static int fd = -1;

	if (fd < 0)
		fd = open("/dev/pfnmap_probe", O_RDWR | O_CLOEXEC);
	if (ioctl(fd, PFNMAP_PROBE, &p))
		p.level = ~0U;
	return p;
}

/* The entry behind an address; .level is PFNMAP_PROBE_NONE without one. */
static inline struct pfnmap_probe probe(const void *addr)
{
	return probe_after(addr, PFNMAP_PROBE_LOOK, 0);
}

/* The same after one write fault by the kernel, as KVM makes it. */
static inline struct pfnmap_probe probe_write_fault(const void *addr)
{
	return probe_after(addr, PFNMAP_PROBE_FAULT, 0);
}

static inline long minor_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

/* Number of buffers in the live table, -1 without the table. */
static inline int live_buffers(void)
{
	FILE *f = fopen("/sys/kernel/debug/dma_buf_exporter/buffers", "r");
	int lines = -1;
	char line[512];

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		lines++;
	fclose(f);
	return lines;
}

/*
 * Returns once thread @tid of process @pid sleeps: how a test knows that a
 * thread which can only be waiting for one thing waits for it.
 */
static inline void wait_asleep(pid_t pid, pid_t tid)
{
	char path[64], line[256], *state;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	do {
		int fd = open(path, O_RDONLY | O_CLOEXEC);	/* stdio may map memory */
		ssize_t len = read(fd, line, sizeof(line) - 1);

		close(fd);
		sched_yield();
		line[len > 0 ? len : 0] = 0;
		state = strrchr(line, ')');
	} while (!state || (state[2] != 'S' && state[2] != 'D'));
}

static inline int write_file(const char *path, const char *fmt, ...)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC), ret;
	va_list args;

	if (fd < 0)
		return -errno;
	va_start(args, fmt);
	ret = vdprintf(fd, fmt, args) < 0 ? -errno : 0;
	va_end(args);
	close(fd);
	return ret;
}

/* Is this kernel that release or a later one? */
static inline bool kernel_since(int major, int minor)
{
	struct utsname name;
	int a, b;

	if (uname(&name) || sscanf(name.release, "%d.%d", &a, &b) != 2)
		return false;
	return a > major || (a == major && b >= minor);
}

/* What maps a whole PMD of memory: before 7.3, only pages get one entry. */
static inline unsigned int pmd_level(bool paged)
{
	return paged || kernel_since(7, 3) ? PFNMAP_PROBE_HUGE : PFNMAP_PROBE_PTE;
}

static inline int et_open(void)
{
	return open("/dev/exporter_test", O_RDWR | O_CLOEXEC);
}

#endif
