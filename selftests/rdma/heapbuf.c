// SPDX-License-Identifier: GPL-2.0
/*
 * heapbuf.so: gives a program that knows nothing of dma-bufs one, in place of its memory
 *
 * HEAPBUF_MIN=N: what the program allocates is a mapped buffer of the heap when it is N
 * bytes or more. The path /heapbuf opens as a buffer, which one can mmap(). The program's
 * end says on stderr how many buffers there were.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-heap.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "heapbuf.h"

#define HEAP	"/dev/dma_heap/pfnmap"
#define PATH	"/heapbuf"
#define OPENED	(16UL << 20)	/* nobody says how much is going to be mapped */
#define MANY	256

static struct { void *p; size_t size; } taken[MANY];
static int buffers, min_read;
static size_t min;

static int heap_fd(size_t size)
{
	struct dma_heap_allocation_data data = { .len = size, .fd_flags = O_RDWR | O_CLOEXEC };
	int dev = syscall(SYS_openat, AT_FDCWD, HEAP, O_RDONLY | O_CLOEXEC);
	int ret = dev < 0 ? -1 : ioctl(dev, DMA_HEAP_IOCTL_ALLOC, &data);

	if (dev >= 0)
		close(dev);
	if (ret)
		return -1;
	__atomic_add_fetch(&buffers, 1, __ATOMIC_RELAXED);
	return data.fd;
}

static size_t limit(void)
{
	if (!__atomic_load_n(&min_read, __ATOMIC_ACQUIRE)) {
		const char *s = getenv("HEAPBUF_MIN");

		min = s ? strtoul(s, NULL, 0) : SIZE_MAX;
		__atomic_store_n(&min_read, 1, __ATOMIC_RELEASE);
	}
	return min;
}

/* NULL if it is not for us, or there is no room. */
static void *take(size_t align, size_t size)
{
	void *p, *none;
	int i, fd;

	if (size < limit() || align > 4096)
		return NULL;
	fd = heap_fd(size);
	if (fd < 0)
		return NULL;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return NULL;
	for (i = 0; i < MANY; i++) {
		none = NULL;
		if (__atomic_compare_exchange_n(&taken[i].p, &none, p, 0, __ATOMIC_ACQ_REL,
						__ATOMIC_RELAXED)) {
			taken[i].size = size;
			return p;
		}
	}
	munmap(p, size);
	return NULL;
}

void *malloc(size_t size)
{
	void *p = take(0, size);

	return p ? p : __libc_malloc(size);
}

void *memalign(size_t align, size_t size)
{
	void *p = take(align, size);

	return p ? p : __libc_memalign(align, size);
}

int posix_memalign(void **p, size_t align, size_t size)
{
	*p = memalign(align, size);
	return *p ? 0 : ENOMEM;
}

void free(void *p)
{
	int i;

	for (i = 0; p && i < MANY; i++) {
		if (__atomic_load_n(&taken[i].p, __ATOMIC_ACQUIRE) != p)
			continue;
		munmap(p, taken[i].size);
		__atomic_store_n(&taken[i].p, NULL, __ATOMIC_RELEASE);
		return;
	}
	__libc_free(p);
}

int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	if (!strcmp(path, PATH))
		return heap_fd(OPENED);
	if (flags & (O_CREAT | __O_TMPFILE)) {
		va_start(args, flags);
		mode = va_arg(args, mode_t);
		va_end(args);
	}
	return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static __attribute__((destructor)) void report(void)
{
	if (buffers)
		fprintf(stderr, "heapbuf: %d buffers\n", buffers);
}
