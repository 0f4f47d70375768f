// SPDX-License-Identifier: GPL-2.0
/*
 * Page faults: how many there are, that none sleeps with mmap_lock held, and what
 * they do when several threads and settings get in each other's way.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <linux/userfaultfd.h>

#include "util.h"
#include "harness.h"

FIXTURE(count) {
	int fd;
};

FIXTURE_SETUP(count)
{
	self->fd = pfnmap_alloc(64 << 20);
	ASSERT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN(count)
{
	close(self->fd);
}

static long touch(char *map, size_t len)
{
	long before = minor_faults();

	for (size_t off = 0; off < len; off += PAGE)
		map[off] = 1;
	return minor_faults() - before;
}

TEST_F(count, aligned_64m)
{
	char *map = mmap(reserve(64 << 20, 0), 64 << 20, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, self->fd, 0);

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_LE(touch(map, 64 << 20), 40);
	EXPECT_EQ(0, touch(map, 64 << 20));
}

TEST_F(count, misaligned_64m)
{
	char *map = mmap(reserve(64 << 20, PAGE), 64 << 20, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, self->fd, 0);

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_LE(touch(map, 64 << 20), 40);
	EXPECT_EQ(0, touch(map, 64 << 20));
}

struct toucher {
	pthread_t thread;
	pid_t tid;
	char *addr;
	bool locked, done;
	struct pfnmap_probe seen;
};

static void *touch_thread(void *arg)
{
	struct toucher *t = arg;

	__atomic_store_n(&t->tid, gettid(), __ATOMIC_SEQ_CST);
	if (t->locked)
		t->seen = probe_after(t->addr, PFNMAP_PROBE_FAULT_LOCKED, 0);
	else
		poke(t->addr, 1);
	__atomic_store_n(&t->done, true, __ATOMIC_SEQ_CST);
	return NULL;
}

FIXTURE(blocked) {
	int et, fd;
	struct et_alloc how;
	char *map;
	struct toucher toucher;
};

FIXTURE_VARIANT(blocked) {
	unsigned int block, unblock;
	size_t offset;
	bool node;
};

/* The entry is a PMD at offset 0, where the fault holds the VMA's lock only. */
FIXTURE_VARIANT_ADD(blocked, lock_pmd) { ET_HOLD, ET_RELEASE, 0 };
FIXTURE_VARIANT_ADD(blocked, lock_pte) { ET_HOLD, ET_RELEASE, PAGE };
FIXTURE_VARIANT_ADD(blocked, fence_pmd) { ET_FENCE, ET_SIGNAL, 0 };
FIXTURE_VARIANT_ADD(blocked, fence_pte) { ET_FENCE, ET_SIGNAL, PAGE };
FIXTURE_VARIANT_ADD(blocked, node) { ET_FENCE, ET_SIGNAL, 0, true };

FIXTURE_SETUP(blocked)
{
	self->et = et_open();
	ASSERT_GE(self->et, 0);
	self->how = (struct et_alloc) { .size = 2 * PMD, .fd_flags = O_RDWR | O_CLOEXEC };
	ASSERT_EQ(0, ioctl(self->et, ET_ALLOC, &self->how));
	self->fd = self->how.fd;
	self->map = mmap(reserve(2 * PMD, variant->offset), 2 * PMD,
			 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			 variant->node ? self->et : self->fd,
			 variant->node ? self->how.node_offset : 0);
	ASSERT_NE(MAP_FAILED, self->map);
	ASSERT_EQ(0, ioctl(self->et, variant->block, self->fd));
}

FIXTURE_TEARDOWN(blocked)
{
	ioctl(self->et, variant->unblock);
	ioctl(self->et, ET_FREE, self->how.id);
	munmap(self->map, 2 * PMD);
	close(self->fd);
	close(self->et);
}

static void start_toucher(struct toucher *t, char *addr)
{
	t->addr = addr;
	pthread_create(&t->thread, NULL, touch_thread, t);
	while (!__atomic_load_n(&t->tid, __ATOMIC_SEQ_CST))
		sched_yield();
	wait_asleep(getpid(), t->tid);
}

/* While a fault waits, the address space is free for everybody else. */
TEST_F(blocked, mmap_lock_is_free)
{
	char *other;

	start_toucher(&self->toucher, self->map + PMD);
	EXPECT_FALSE(self->toucher.done);

	other = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, other);
	munmap(other, PAGE);
	EXPECT_FALSE(self->toucher.done);
	EXPECT_EQ(PFNMAP_PROBE_NONE, probe(self->map + PMD).level);

	ASSERT_EQ(0, ioctl(self->et, variant->unblock));
	pthread_join(self->toucher.thread, NULL);
	EXPECT_TRUE(self->toucher.done);
	EXPECT_EQ(1, probe(self->map + PMD).special);
}

/* The mapping may go away under the fault: it ends in SIGSEGV, not in a splat. */
TEST_F(blocked, munmap_under_fault)
{
	int status;
	pid_t pid = fork();

	ASSERT_GE(pid, 0);
	if (!pid) {
		struct toucher t = {};

		start_toucher(&t, self->map + PMD);
		munmap(self->map, 2 * PMD);
		ioctl(self->et, variant->unblock);
		pthread_join(t.thread, NULL);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGSEGV, WTERMSIG(status));
}

static sigjmp_buf usr_jump;

static void on_usr(int sig)
{
	siglongjmp(usr_jump, 1);
}

/* A signal ends the wait of a fault from user space. */
TEST_F(blocked, signal_interrupts)
{
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		signal(SIGUSR1, on_usr);
		if (!sigsetjmp(usr_jump, 1)) {
			poke(self->map + PMD, 1);
			_exit(1);
		}
		_exit(probe(self->map + PMD).level == PFNMAP_PROBE_NONE ? 0 : 2);
	}
	wait_asleep(pid, pid);
	kill(pid, SIGUSR1);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* A fatal signal ends the wait of a fault from inside a system call. */
TEST_F(blocked, kill_in_syscall)
{
	int fds[2], status;
	pid_t pid;

	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(1, write(fds[1], "x", 1));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		read(fds[0], self->map + PMD, 1);
		_exit(1);
	}
	wait_asleep(pid, pid);
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGKILL, WTERMSIG(status));
	close(fds[0]);
	close(fds[1]);
}

/*
 * Asynchronous write protection once took any mapping, and left markers in the
 * page table for faults to trip over.
 */
TEST(uffd_wp_refused)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_WP_ASYNC |
				  UFFD_FEATURE_WP_UNPOPULATED };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_WP };
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	int fd = pfnmap_alloc(2 * PMD);
	char *map;

	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api))
		SKIP(return, "no userfaultfd with WP_ASYNC");
	map = mmap(NULL, 2 * PMD, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	reg.range.start = (uintptr_t)map;
	reg.range.len = 2 * PMD;
	EXPECT_EQ(-1, ioctl(uffd, UFFDIO_REGISTER, &reg));
	EXPECT_EQ(EINVAL, errno);
	munmap(map, 2 * PMD);
	close(uffd);
	close(fd);
}

/*
 * Where writes are tracked a write fault still leaves a writable entry: KVM
 * faults once, looks the entry up, and gives up on another.
 */
TEST(soft_dirty)
{
	int fd = pfnmap_alloc(2 * PMD), clear = open("/proc/self/clear_refs", O_WRONLY);

	for (size_t offset = 0; offset <= PAGE; offset += PAGE) {
		char *map = mmap(reserve(2 * PMD, offset), 2 * PMD, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_FIXED, fd, 0);

		ASSERT_NE(MAP_FAILED, map);
		ASSERT_EQ(1, write(clear, "4", 1));
		EXPECT_EQ(1, probe_write_fault(map).writable);
		ASSERT_EQ(1, write(clear, "4", 1));
		EXPECT_EQ(1, probe_write_fault(map).writable);
		EXPECT_EQ(1, probe(map).special);
		munmap(map, 2 * PMD);
	}
	close(clear);
	close(fd);
}

struct storm {
	pthread_t thread;
	char *map;
	size_t size;
	unsigned int seed;
	int errors;
};

static void *storm_thread(void *arg)
{
	struct storm *s = arg;

	for (int i = 0; i < 20000; i++) {
		size_t off = (rand_r(&s->seed) % (s->size / PAGE)) * PAGE;

		if (__atomic_load_n((uint64_t *)(s->map + off), __ATOMIC_RELAXED) != off)
			s->errors++;
		if (!(i % 16))
			madvise(s->map + (off & ~(PMD - 1)), PMD, MADV_DONTNEED);
	}
	return NULL;
}

/* Faults from several threads on one buffer, while entries are dropped. */
TEST(storm)
{
	size_t size = 8 * PMD;
	int fd = pfnmap_alloc(size);
	struct storm s[4] = {};

	for (int i = 0; i < ARRAY_SIZE(s); i++) {
		s[i].map = mmap(reserve(size, (i & 1) * PAGE), size, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_FIXED, fd, 0);
		ASSERT_NE(MAP_FAILED, s[i].map);
		s[i].size = size;
		s[i].seed = i + 1;
	}
	for (size_t off = 0; off < size; off += PAGE)
		*(uint64_t *)(s[0].map + off) = off;
	s[2].map = s[0].map;	/* two threads in one mapping */
	for (int i = 0; i < ARRAY_SIZE(s); i++)
		pthread_create(&s[i].thread, NULL, storm_thread, &s[i]);
	for (int i = 0; i < ARRAY_SIZE(s); i++) {
		pthread_join(s[i].thread, NULL);
		EXPECT_EQ(0, s[i].errors);
	}
	close(fd);
}

FIXTURE(switched) {
	int et;
	struct et_alloc how;
	char *map, *other;
};

FIXTURE_VARIANT(switched) {
	bool no_huge;
	enum pfnmap_probe_first make;
	unsigned int level;
};

FIXTURE_VARIANT_ADD(switched, off) { false, PFNMAP_PROBE_MAKE_TABLE, PFNMAP_PROBE_PTE };
FIXTURE_VARIANT_ADD(switched, on) { true, PFNMAP_PROBE_MAKE_HUGE, PFNMAP_PROBE_HUGE };

FIXTURE_SETUP(switched)
{
	self->et = et_open();
	ASSERT_GE(self->et, 0);
	self->how = (struct et_alloc) { .size = PMD, .fd_flags = O_RDWR | O_CLOEXEC };
	ASSERT_EQ(0, ioctl(self->et, ET_ALLOC, &self->how));
	self->map = mmap(reserve(PMD, 0), PMD, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, self->how.fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	self->other = mmap(reserve(PMD, 0), PMD, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_FIXED, self->how.fd, 0);
	ASSERT_NE(MAP_FAILED, self->other);
}

FIXTURE_TEARDOWN(switched)
{
	ioctl(self->et, ET_RELEASE);
	ioctl(self->et, ET_FREE, self->how.id);
	munmap(self->map, PMD);
	munmap(self->other, PMD);
	close(self->how.fd);
	close(self->et);
}

/*
 * Huge entries are switched off or on while a fault is on its way, and another
 * thread is faster: the fault finds a page table where it decided on a huge
 * entry, or the reverse. It keeps mmap_lock, or else it would look again.
 */
TEST_F(switched, meets_another)
{
	struct toucher toucher = { .locked = true };
	uint64_t pfn;

	poke(self->other, 1);
	pfn = probe(self->other).pfn;
	ASSERT_EQ(0, prctl(PR_SET_THP_DISABLE, variant->no_huge, 0, 0, 0));
	ASSERT_EQ(0, ioctl(self->et, ET_HOLD, self->how.fd));
	start_toucher(&toucher, self->map + 5 * PAGE);
	EXPECT_NE(~0U, probe_after(self->map, variant->make, pfn).level);
	ASSERT_EQ(0, ioctl(self->et, ET_RELEASE));
	pthread_join(toucher.thread, NULL);
	EXPECT_EQ(variant->level, toucher.seen.level);
	EXPECT_EQ(pfn + 5, toucher.seen.pfn);
	EXPECT_EQ(1, toucher.seen.special);
	EXPECT_EQ(1, toucher.seen.writable);
}

TEST_HARNESS_MAIN
