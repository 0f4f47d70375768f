/* SPDX-License-Identifier: GPL-2.0 */
/* What the tests with a real DMA engine share. */
#ifndef _SELFTESTS_EDU_H
#define _SELFTESTS_EDU_H

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>

#include <linux/dma-buf.h>

#include "control.h"
#include "util.h"
#include "edu_dma.h"

#define EDU_SYSFS	"/sys/class/misc/edu_dma/device"

enum { BIDIRECTIONAL, TO_DEVICE, FROM_DEVICE };

#define SIZE	(20 * PAGE)
#define HEAP	1000	/* next to the kinds of exporter_test */
#define SYSTEM	1001	/* the kernel's own heap */

/* A buffer to copy from or to, mapped, and zeroed as all are. */
struct buffer {
	struct et_alloc how;
	int fd;
	char *map;
};

static inline int buffer_alloc(int et, struct buffer *b, unsigned int kind,
			       unsigned int chunk)
{
	*b = (struct buffer) { .how = {
		.size = SIZE, .kind = kind, .chunk = chunk, .caching = kind == ET_IO ? 2 : 0,
		.fd_flags = O_RDWR | O_CLOEXEC,
	} };
	if (kind >= HEAP)
		b->fd = heap_alloc(kind == HEAP ? "pfnmap" : "system", SIZE, O_RDWR | O_CLOEXEC);
	else
		b->fd = ioctl(et, ET_ALLOC, &b->how) ? -1 : b->how.fd;
	if (b->fd < 0)
		return -errno;
	b->map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, b->fd, 0);
	return b->map == MAP_FAILED ? -errno : 0;
}

static inline void buffer_free(int et, struct buffer *b)
{
	if (!b->map)
		return;
	munmap(b->map, SIZE);
	b->map = NULL;
	if (b->how.id)
		ioctl(et, ET_FREE, b->how.id);
	close(b->fd);
}

static inline int edu_open(void)
{
	return open("/dev/edu_dma", O_RDWR | O_CLOEXEC);
}

static inline struct edu_stats edu_stats(int edu)
{
	struct edu_stats stats = {};

	ioctl(edu, EDU_STATS, &stats);
	return stats;
}

/* Closes the device. Did it drop all that it mapped since @before, and fail no job? */
static inline bool edu_left_nothing(int edu, struct edu_stats before)
{
	struct edu_stats after;
	bool good;

	close(edu);
	edu = edu_open();
	after = edu_stats(edu);
	close(edu);
	good = edu >= 0 && after.errors == before.errors &&
	       after.maps - before.maps == after.unmaps - before.unmaps;
	if (!good)
		printf("# edu: %llu maps, %llu unmaps, %llu errors\n",
		       after.maps - before.maps, after.unmaps - before.unmaps,
		       after.errors - before.errors);
	return good;
}

/* How the IOMMU serves the device: "DMA", "DMA-FQ", or "none" if it does not. */
static inline const char *edu_iommu(void)
{
	FILE *f = fopen(EDU_SYSFS "/iommu_group/type", "re");
	static char type[32];
	bool dma = f && fscanf(f, "%31s", type) == 1 && !strncmp(type, "DMA", 3);

	if (f)
		fclose(f);
	return dma ? type : "none";
}

static inline bool edu_translated(void)
{
	return strcmp(edu_iommu(), "none");
}

/* An attachment, or one with id 0 and errno set. */
static inline struct edu_attach attach(int edu, int fd, unsigned int mode,
				       unsigned int flags, unsigned int dir)
{
	struct edu_attach how = { .fd = fd, .mode = mode, .flags = flags, .dir = dir };

	if (ioctl(edu, EDU_ATTACH, &how))
		how.id = 0;
	return how;
}

static inline int copy(int edu, unsigned int src, uint64_t src_offset, unsigned int dst,
		       uint64_t dst_offset, uint64_t len, unsigned int flags)
{
	struct edu_copy c = {
		.src = src, .src_offset = src_offset, .dst = dst, .dst_offset = dst_offset,
		.len = len, .flags = flags,
	};

	return ioctl(edu, EDU_COPY, &c);
}

/* EDU_READ, EDU_WRITE, EDU_LOAD or EDU_STORE */
static inline int edu_access(int edu, unsigned long cmd, unsigned int id, uint64_t offset,
			     const void *data, uint64_t len)
{
	struct edu_access a = {
		.id = id, .offset = offset, .len = len, .user = (uintptr_t)data,
	};

	return ioctl(edu, cmd, &a);
}

static inline int raw_dma(int edu, uint64_t addr, uint64_t len, bool to_bus)
{
	struct edu_raw raw = { .addr = addr, .len = len, .to_bus = to_bus };

	return ioctl(edu, EDU_RAW_DMA, &raw);
}

static inline struct edu_query query(int edu, unsigned int id, uint64_t offset)
{
	struct edu_query q = { .id = id, .offset = offset };

	if (ioctl(edu, EDU_QUERY, &q))
		q.nents = ~0U;
	return q;
}

/*
 * What was forgotten is flushed 10 ms later by a timer on the processor that
 * unmapped. EDU_RAW_DMA keeps that out as long as it runs on the same one.
 */
static inline void stay_on_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* Interrupts of the IOMMU so far: it has them for faults only. */
static inline long iommu_interrupts(void)
{
	FILE *f = fopen("/proc/interrupts", "re");
	char line[1024], *p, *end;
	long sum = 0;

	while (f && fgets(line, sizeof(line), f)) {
		p = strchr(line, ':');
		if (!p || !strstr(line, "dmar"))
			continue;
		for (p++;; p = end) {
			sum += strtol(p, &end, 10);
			if (end == p)
				break;
		}
	}
	if (f)
		fclose(f);
	return sum;
}

/**
 * struct faults - the faults of the device from a moment on
 * @log: the kernel log
 * @interrupts: iommu_interrupts() at that moment
 */
struct faults {
	int log;
	long interrupts;
};

static inline struct faults faults_begin(void)
{
	struct faults f = {
		.log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC),
		.interrupts = iommu_interrupts(),
	};

	lseek(f.log, 0, SEEK_END);
	return f;
}

/*
 * Did the IOMMU stop the device at @addr, and nowhere else? The kernel names a
 * few faults every five seconds; of the others there is the interrupt.
 */
static inline bool faults_end(struct faults *f, uint64_t addr, bool write)
{
	struct pollfd pfd = { .fd = f->log, .events = POLLIN };
	char line[1024], link[256] = "", where[64];
	bool named = false, other = false;
	ssize_t n;

	if (readlink(EDU_SYSFS, link, sizeof(link) - 1) < 0)
		return false;
	/* Without the PCI domain, which older kernels do not print. */
	snprintf(where, sizeof(where), "%s] fault addr 0x%llx ",
		 strchr(strrchr(link, '/'), ':') + 1,
		 (unsigned long long)(addr & ~(PAGE - 1)));
	while (!named && (poll(&pfd, 1, 500) == 1)) {
		n = read(f->log, line, sizeof(line) - 1);
		line[n > 0 ? n : 0] = 0;
		if (!strstr(line, "[DMA "))
			continue;
		if (strstr(line, write ? "[DMA Write" : "[DMA Read") && strstr(line, where))
			named = true;
		else
			other = true;
	}
	close(f->log);
	return !other && (named || iommu_interrupts() > f->interrupts);
}

static inline void fill(char *p, char seed, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = seed + i % 251;
}

static inline bool filled(const char *p, char seed, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != (char)(seed + i % 251))
			return false;
	return true;
}

/* A thread that makes one call and sleeps: in the call, or after it. */
struct caller {
	pthread_t thread;
	sem_t end;
	pid_t tid;
	int fd;
	unsigned long cmd;
	unsigned long arg;
	int ret;
	int err;
	bool done;
};

static inline void *caller_thread(void *data)
{
	struct caller *c = data;

	__atomic_store_n(&c->tid, gettid(), __ATOMIC_SEQ_CST);
	c->ret = ioctl(c->fd, c->cmd, c->arg);
	c->err = errno;
	__atomic_store_n(&c->done, true, __ATOMIC_SEQ_CST);
	sem_wait(&c->end);
	return NULL;
}

/* Makes the call from another thread; returns when that sleeps. */
static inline void call_asleep(struct caller *c, int fd, unsigned long cmd, unsigned long arg)
{
	*c = (struct caller) { .fd = fd, .cmd = cmd, .arg = arg };
	sem_init(&c->end, 0, 0);
	if (pthread_create(&c->thread, NULL, caller_thread, c))
		abort();
	while (!__atomic_load_n(&c->tid, __ATOMIC_SEQ_CST))
		sched_yield();
	wait_asleep(getpid(), c->tid);
}

static inline bool call_pending(struct caller *c)
{
	return !__atomic_load_n(&c->done, __ATOMIC_SEQ_CST);
}

static inline int call_end(struct caller *c)
{
	sem_post(&c->end);
	pthread_join(c->thread, NULL);
	return c->ret < 0 ? -c->err : c->ret;
}

/* What the exporter says of a dma-buf; all ones if it is none of the library's. */
static inline struct dma_buf_exporter_info info(int dmabuf)
{
	struct dma_buf_exporter_info info = { .size = sizeof(info), .fd = dmabuf };
	int dev = control_open();

	if (control_call(dev, DMA_BUF_EXPORTER_INFO, &info))
		memset(&info, 0xff, sizeof(info));
	close(dev);
	return info;
}

/* How many DMA mappings there are. */
static inline unsigned int mapped(int dmabuf)
{
	return info(dmabuf).maps;
}

/* Are there fences that a reader (POLLIN) or writer (POLLOUT) has to wait for? */
static inline bool busy(int dmabuf, short events)
{
	struct pollfd pfd = { .fd = dmabuf, .events = events };

	return poll(&pfd, 1, 0) != 1;
}

#endif
