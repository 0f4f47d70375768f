/* SPDX-License-Identifier: GPL-2.0 */
/* What the tests of moves and revocation share: buffers of exporter_test. */
#ifndef _SELFTESTS_MOVES_H
#define _SELFTESTS_MOVES_H

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "util.h"

enum { BIDIRECTIONAL, TO_DEVICE, FROM_DEVICE };
enum { WAIT, REVOKE, BLOCK };

#define SIZE	(2 * PMD)

/* The number that each page of a buffer begins with. */
static inline void fill(char *map, uint64_t seed)
{
	for (size_t off = 0; off < SIZE; off += PAGE)
		__atomic_store_n((uint64_t *)(map + off), seed + off, __ATOMIC_RELAXED);
}

/* How many pages begin with something else. */
static inline int wrong(const char *map, uint64_t seed)
{
	int n = 0;

	for (size_t off = 0; off < SIZE; off += PAGE)
		n += __atomic_load_n((uint64_t *)(map + off), __ATOMIC_RELAXED) !=
		     seed + off;
	return n;
}

/* Entries that a mapping has. */
static inline int entries(const char *map)
{
	int n = 0;

	for (size_t off = 0; off < SIZE; off += PAGE)
		n += probe(map + off).level != PFNMAP_PROBE_NONE;
	return n;
}

static inline struct et_stats et_stats(int et)
{
	struct et_stats stats = {};

	ioctl(et, ET_STATS, &stats);
	return stats;
}

/*
 * An ioctl on /dev/exporter_test from a thread of its own; @sleeps says how often that
 * had slept when the call was done.
 */
struct caller {
	pthread_t thread;
	pid_t tid;
	int et;
	unsigned long cmd;
	unsigned long arg;
	struct et_move move;
	int ret;
	long sleeps;
	bool done;
};

static void *caller_thread(void *arg)
{
	struct caller *c = arg;
	struct rusage usage;

	__atomic_store_n(&c->tid, gettid(), __ATOMIC_SEQ_CST);
	c->ret = ioctl(c->et, c->cmd, c->arg) ? -errno : 0;
	getrusage(RUSAGE_THREAD, &usage);
	c->sleeps = usage.ru_nvcsw;
	__atomic_store_n(&c->done, true, __ATOMIC_SEQ_CST);
	return NULL;
}

/* Returns when the call sleeps, which the test knows it will. */
static inline void start_call(struct caller *c, int et, unsigned long cmd,
			      unsigned long arg)
{
	*c = (struct caller) { .et = et, .cmd = cmd, .arg = arg, .move = c->move };
	pthread_create(&c->thread, NULL, caller_thread, c);
	while (!__atomic_load_n(&c->tid, __ATOMIC_SEQ_CST))
		sched_yield();
	wait_asleep(getpid(), c->tid);
}

static inline void start_move(struct caller *c, int et, const struct et_move *move)
{
	c->move = *move;
	start_call(c, et, ET_MOVE, (unsigned long)&c->move);
}

/* How often a thread of this process, which sleeps, has gone to sleep so far. */
static inline long sleeps(pid_t tid)
{
	char path[64], line[128];
	long n = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	f = fopen(path, "re");
	while (f && n < 0 && fgets(line, sizeof(line), f))
		sscanf(line, "voluntary_ctxt_switches: %ld", &n);
	if (f)
		fclose(f);
	return n;
}

static inline int finish(struct caller *c)
{
	pthread_join(c->thread, NULL);
	return c->ret;
}

/* A thread that writes one byte. */
struct toucher {
	pthread_t thread;
	pid_t tid;
	char *addr;
	char value;
	bool done;
};

static void *toucher_thread(void *arg)
{
	struct toucher *t = arg;

	__atomic_store_n(&t->tid, gettid(), __ATOMIC_SEQ_CST);
	poke(t->addr, t->value);
	__atomic_store_n(&t->done, true, __ATOMIC_SEQ_CST);
	return NULL;
}

/* Returns when the thread sleeps in its page fault. */
static inline void start_toucher(struct toucher *t, char *addr, char value)
{
	*t = (struct toucher) { .addr = addr, .value = value };
	pthread_create(&t->thread, NULL, toucher_thread, t);
	while (!__atomic_load_n(&t->tid, __ATOMIC_SEQ_CST))
		sched_yield();
	wait_asleep(getpid(), t->tid);
}

/* The signal that a child gets when it writes to @addr, or 0. */
static inline int signal_of_touch(char *addr)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		poke(addr, 1);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static inline int buffer_alloc(int et, struct et_alloc *how, unsigned int kind,
			       unsigned int caching, unsigned int chunk)
{
	*how = (struct et_alloc) {
		.size = SIZE, .kind = kind, .caching = caching, .chunk = chunk,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	return ioctl(et, ET_ALLOC, how) ? -errno : 0;
}

static inline char *buffer_map(int fd, uint64_t offset)
{
	return mmap(reserve(SIZE, 0), SIZE, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED, fd, offset);
}

static inline int buffer_move(int et, uint32_t id, unsigned int policy,
			      unsigned int flags, unsigned int timeout_ms)
{
	struct et_move move = {
		.id = id, .policy = policy, .flags = flags, .timeout_ms = timeout_ms,
	};

	return ioctl(et, ET_MOVE, &move) ? -errno : 0;
}

static inline int dma(int et, unsigned int id, bool write, uint64_t offset, void *data,
		      size_t len)
{
	struct et_copy copy = {
		.id = id, .write = write, .offset = offset, .len = len,
		.user = (uintptr_t)data,
	};

	return ioctl(et, ET_DMA, &copy) ? -errno : 0;
}

#endif
