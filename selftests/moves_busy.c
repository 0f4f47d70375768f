// SPDX-License-Identifier: GPL-2.0
/*
 * Moving a buffer that somebody uses: what each policy does about importers,
 * fences, kernel mappings and pins, and the limits on pins.
 */
#include <sys/prctl.h>
#include <sys/resource.h>

#include "moves.h"
#include "harness.h"

#define PIN_LIMIT	"/sys/module/dma_buf_exporter/parameters/pin_limit_mib"
#define PINS		"/sys/kernel/debug/dma_buf_exporter/pins"
#define PIN_MEMLOCK	"/sys/module/dma_buf_exporter/parameters/pin_memlock"

FIXTURE(busy) {
	int et;
	struct et_alloc how;
	struct et_import import;
	struct caller mover;
	char *map;
};

FIXTURE_SETUP(busy)
{
	self->et = et_open();
	ASSERT_GE(self->et, 0);
	ASSERT_EQ(0, buffer_alloc(self->et, &self->how, ET_PAGES, 0, 0));
	self->import.fd = self->how.fd;
	self->map = buffer_map(self->how.fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	fill(self->map, 1);
}

FIXTURE_TEARDOWN(busy)
{
	EXPECT_EQ(0, wrong(self->map, 1));
	munmap(self->map, SIZE);
	if (self->import.id)
		ioctl(self->et, ET_UNIMPORT, self->import.id);
	ioctl(self->et, ET_FREE, self->how.id);
	close(self->how.fd);
	close(self->et);
}

static int move(int et, uint32_t id, unsigned int policy, unsigned int timeout_ms)
{
	return buffer_move(et, id, policy, 0, timeout_ms);
}

static void start_wait(struct caller *mover, int et, uint32_t id)
{
	start_move(mover, et, &(struct et_move) { .id = id, .timeout_ms = ET_FOREVER });
}

/* Memory of the new place is given back when the move fails. */
#define EXPECT_MOVE(error, policy, timeout_ms) do {				\
	__u64 __frees = et_stats(self->et).frees;				\
	int __error = (error);							\
										\
	EXPECT_EQ(__error, move(self->et, self->how.id, policy, timeout_ms));	\
	EXPECT_EQ(__frees + !__error, et_stats(self->et).frees);		\
} while (0)

/* It cannot be told to go: its mapping is a pin. */
TEST_F(busy, static_importer)
{
	ASSERT_EQ(0, ioctl(self->et, ET_IMPORT, &self->import));
	EXPECT_MOVE(-EBUSY, BLOCK, 0);
	EXPECT_MOVE(-EBUSY, REVOKE, ET_FOREVER);
	EXPECT_MOVE(-ETIMEDOUT, WAIT, 20);

	start_wait(&self->mover, self->et, self->how.id);
	EXPECT_FALSE(self->mover.done);
	ASSERT_EQ(0, ioctl(self->et, ET_UNIMPORT, self->import.id));
	self->import.id = 0;
	EXPECT_EQ(0, finish(&self->mover));
}

/* One that unmaps when it is told to is never in the way. */
TEST_F(busy, prompt_importer)
{
	self->import.dynamic = ET_DYNAMIC;
	ASSERT_EQ(0, ioctl(self->et, ET_IMPORT, &self->import));
	EXPECT_MOVE(0, BLOCK, 0);
	EXPECT_MOVE(0, REVOKE, 0);
	EXPECT_MOVE(0, WAIT, 0);
}

/* One that unmaps later is waited for, with the lock free for it to do so. */
TEST_F(busy, late_importer)
{
	struct et_stats before = et_stats(self->et);

	self->import.dynamic = ET_LATE;
	ASSERT_EQ(0, ioctl(self->et, ET_IMPORT, &self->import));
	EXPECT_MOVE(-EBUSY, BLOCK, 0);
	EXPECT_MOVE(-ETIMEDOUT, WAIT, 20);
	EXPECT_LE(before.invalidates + 2, et_stats(self->et).invalidates);
	EXPECT_EQ(-EBUSY, buffer_move(self->et, self->how.id, WAIT, ET_MOVE_LOCKED, 0));

	start_wait(&self->mover, self->et, self->how.id);
	EXPECT_FALSE(self->mover.done);
	/* Meanwhile the buffer is used where it is. */
	EXPECT_EQ(0, wrong(self->map, 1));
	ASSERT_EQ(0, ioctl(self->et, ET_UNMAP, self->import.id));
	EXPECT_EQ(0, finish(&self->mover));
	EXPECT_EQ(0, entries(self->map));
}

TEST_F(busy, fence)
{
	ASSERT_EQ(0, ioctl(self->et, ET_WRITE_FENCE, self->how.fd));
	EXPECT_MOVE(-EBUSY, BLOCK, 0);
	EXPECT_EQ(-EBUSY, buffer_move(self->et, self->how.id, BLOCK, ET_MOVE_LOCKED, 0));
	EXPECT_MOVE(-ETIMEDOUT, WAIT, 20);
	EXPECT_MOVE(-ETIMEDOUT, REVOKE, 20);

	start_wait(&self->mover, self->et, self->how.id);
	EXPECT_FALSE(self->mover.done);
	/* The lock is free while the fence is waited for. */
	EXPECT_EQ(0, wrong(self->map, 1));
	ASSERT_EQ(0, ioctl(self->et, ET_SIGNAL));
	EXPECT_EQ(0, finish(&self->mover));
}

TEST_F(busy, kernel_mapping)
{
	ASSERT_EQ(0, ioctl(self->et, ET_VHOLD, self->how.fd));
	EXPECT_MOVE(-EBUSY, BLOCK, 0);
	EXPECT_MOVE(-ETIMEDOUT, WAIT, 20);
	start_wait(&self->mover, self->et, self->how.id);
	EXPECT_FALSE(self->mover.done);
	ASSERT_EQ(0, ioctl(self->et, ET_VDROP));
	EXPECT_EQ(0, finish(&self->mover));
}

/* A signal ends the wait, and the buffer is where it was. */
static void on_usr(int sig)
{
}

TEST_F(busy, signal_interrupts)
{
	struct sigaction sa = { .sa_handler = on_usr };
	unsigned long pfn = probe(self->map).pfn;

	sigaction(SIGUSR1, &sa, NULL);
	ASSERT_EQ(0, ioctl(self->et, ET_IMPORT, &self->import));
	start_wait(&self->mover, self->et, self->how.id);
	pthread_kill(self->mover.thread, SIGUSR1);
	EXPECT_EQ(-EINTR, finish(&self->mover));
	EXPECT_EQ(pfn, probe(self->map).pfn);
}

/* The copy fails, or says it is busy: that is the end of the move. */
TEST_F(busy, copy_fails)
{
	EXPECT_EQ(-EIO, buffer_move(self->et, self->how.id, WAIT, ET_MOVE_FAIL, ET_FOREVER));
	start_move(&self->mover, self->et, &(struct et_move) {
		.id = self->how.id, .flags = ET_MOVE_PAUSE, .timeout_ms = ET_FOREVER });
	ASSERT_EQ(0, ioctl(self->et, ET_GO, EBUSY));
	EXPECT_EQ(-EBUSY, finish(&self->mover));
}

TEST_F(busy, pin)
{
	self->import.dynamic = ET_DYNAMIC;
	self->import.pin = 1;
	ASSERT_EQ(0, ioctl(self->et, ET_IMPORT, &self->import));
	EXPECT_MOVE(-EBUSY, BLOCK, 0);
	EXPECT_MOVE(-ETIMEDOUT, WAIT, 20);

	/* Matched: two pins want two unpins. */
	ASSERT_EQ(0, ioctl(self->et, ET_PIN, self->import.id));
	ASSERT_EQ(0, ioctl(self->et, ET_UNPIN, self->import.id));
	EXPECT_MOVE(-EBUSY, BLOCK, 0);

	start_wait(&self->mover, self->et, self->how.id);
	EXPECT_FALSE(self->mover.done);
	ASSERT_EQ(0, ioctl(self->et, ET_UNPIN, self->import.id));
	EXPECT_EQ(0, finish(&self->mover));
	EXPECT_EQ(-1, ioctl(self->et, ET_UNPIN, self->import.id));
}

/* Where importers have learnt to let go of what they pinned, REVOKE takes it. */
TEST_F(busy, pin_revoked)
{
	int ret;

	self->import.dynamic = ET_DYNAMIC;
	self->import.pin = 1;
	ASSERT_EQ(0, ioctl(self->et, ET_IMPORT, &self->import));
	ret = move(self->et, self->how.id, REVOKE, ET_FOREVER);
	EXPECT_EQ(kernel_since(7, 0) ? 0 : -EBUSY, ret);
}

/* Who pins what is in a table. */
static int pin_lines(const char *device, unsigned int *pins, unsigned long *bytes)
{
	FILE *f = fopen(PINS, "re");
	char line[256], dev[64];
	int n = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "exporter_test %*u %63s %u %lu", dev, pins, bytes) == 3 &&
		    !strncmp(dev, device, strlen(device)))
			n++;
	if (f)
		fclose(f);
	return n;
}

/* Pins of the newest buffer, in the table of buffers. */
static int buffer_pins(void)
{
	FILE *f = fopen("/sys/kernel/debug/dma_buf_exporter/buffers", "re");
	char line[512];
	int pins = -1;

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "exporter_test %*u %*u %*s %*s %*s %*u %*d %*u %d", &pins);
	if (f)
		fclose(f);
	return pins;
}

TEST_F(busy, pins_are_shown)
{
	struct et_import dynamic = { .fd = self->how.fd, .dynamic = ET_DYNAMIC };
	unsigned long bytes = 0;
	unsigned int pins = 0;

	/* A mapping that is no pin, whatever the core takes for it. */
	ASSERT_EQ(0, ioctl(self->et, ET_IMPORT, &dynamic));
	EXPECT_EQ(0, pin_lines("exporter_test", &pins, &bytes));
	EXPECT_EQ(0, buffer_pins());
	ASSERT_EQ(0, ioctl(self->et, ET_PIN, dynamic.id));
	EXPECT_EQ(1, buffer_pins());
	EXPECT_EQ(1, pin_lines("exporter_test", &pins, &bytes));
	EXPECT_EQ(1, pins);
	EXPECT_EQ(SIZE, bytes);
	/* Whatever the process calls itself, it is one line. */
	prctl(PR_SET_NAME, "a\nexporter_test");
	ASSERT_EQ(0, ioctl(self->et, ET_IMPORT, &self->import));
	prctl(PR_SET_NAME, "moves_busy");
	EXPECT_EQ(2, pin_lines("exporter_test", &pins, &bytes));
	EXPECT_EQ(0, system("grep -q ' a?exporter_test$' " PINS));
	ASSERT_EQ(0, ioctl(self->et, ET_UNIMPORT, dynamic.id));
	EXPECT_EQ(1, pin_lines("exporter_test", &pins, &bytes));
}

static void *closer_thread(void *arg)
{
	struct caller *closer = arg;

	__atomic_store_n(&closer->tid, gettid(), __ATOMIC_SEQ_CST);
	closer->ret = close(closer->et);
	return NULL;
}

static void run_on(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/*
 * The core drops the inode of a dma-buf before it says that the dma-buf is gone, when
 * somebody may be moving the buffer: here one who waits for a fence, and has not come
 * to zap. Whoever has the inode's memory by then must not lose a mapping.
 */
TEST(last_close)
{
	int fds[512], et = et_open(), cpus = sysconf(_SC_NPROCESSORS_ONLN), zapped = 0;
	struct et_move move = { .flags = ET_MOVE_LOCKED };
	struct caller mover, closer;
	char *maps[ARRAY_SIZE(fds)];
	struct et_alloc how;

	ASSERT_EQ(0, buffer_alloc(et, &how, ET_PAGES, 0, 0));
	ASSERT_EQ(0, ioctl(et, ET_FENCE, how.fd));
	move.id = how.id;
	start_move(&mover, et, &move);
	closer = (struct caller) { .et = how.fd };
	ASSERT_EQ(0, pthread_create(&closer.thread, NULL, closer_thread, &closer));
	while (!__atomic_load_n(&closer.tid, __ATOMIC_SEQ_CST))
		sched_yield();
	wait_asleep(getpid(), closer.tid);

	/* What is freed after a grace period has been freed. */
	ASSERT_EQ(0, ioctl(et, ET_RCU_BARRIER));
	for (int i = 0; i < ARRAY_SIZE(fds); i++) {
		run_on(i % cpus);
		fds[i] = pfnmap_alloc(PAGE);
		maps[i] = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fds[i], 0);
		ASSERT_NE(MAP_FAILED, maps[i]);
		poke(maps[i], 1);
	}
	ASSERT_EQ(0, ioctl(et, ET_SIGNAL));
	EXPECT_EQ(0, finish(&mover));
	EXPECT_EQ(0, finish(&closer));

	for (int i = 0; i < ARRAY_SIZE(fds); i++) {
		zapped += probe(maps[i]).level == PFNMAP_PROBE_NONE;
		munmap(maps[i], PAGE);
		close(fds[i]);
	}
	EXPECT_EQ(0, zapped);
	ioctl(et, ET_FREE, how.id);
	close(et);
}

/* Each of the limits is put back by the test's end. */
FIXTURE(limit) {
	int et;
	struct et_alloc how[2];
	struct et_import import[2];
};

FIXTURE_SETUP(limit)
{
	self->et = et_open();
	ASSERT_GE(self->et, 0);
	for (int i = 0; i < ARRAY_SIZE(self->how); i++) {
		ASSERT_EQ(0, buffer_alloc(self->et, &self->how[i], ET_PAGES, 0, 0));
		self->import[i] = (struct et_import) {
			.fd = self->how[i].fd, .dynamic = ET_DYNAMIC, .pin = 1,
		};
	}
}

FIXTURE_TEARDOWN(limit)
{
	write_file(PIN_LIMIT, "0");
	write_file(PIN_MEMLOCK, "N");
	for (int i = 0; i < ARRAY_SIZE(self->how); i++) {
		if (self->import[i].id)
			ioctl(self->et, ET_UNIMPORT, self->import[i].id);
		ioctl(self->et, ET_FREE, self->how[i].id);
		close(self->how[i].fd);
	}
	close(self->et);
}

static int import(int et, struct et_import *import)
{
	return ioctl(et, ET_IMPORT, import) ? -errno : 0;
}

/* 6 MiB are enough for one buffer of 4 MiB, however often it is pinned. */
TEST_F(limit, of_the_driver)
{
	struct et_import again = self->import[0];

	ASSERT_EQ(0, write_file(PIN_LIMIT, "6"));
	ASSERT_EQ(0, import(self->et, &self->import[0]));
	ASSERT_EQ(0, import(self->et, &again));
	EXPECT_EQ(-ENOMEM, import(self->et, &self->import[1]));
	self->import[1].dynamic = ET_STATIC;
	EXPECT_EQ(-ENOMEM, import(self->et, &self->import[1]));
	ASSERT_EQ(0, ioctl(self->et, ET_UNIMPORT, again.id));
	EXPECT_EQ(-ENOMEM, import(self->et, &self->import[1]));
	ASSERT_EQ(0, ioctl(self->et, ET_UNIMPORT, self->import[0].id));
	self->import[0].id = 0;
	EXPECT_EQ(0, import(self->et, &self->import[1]));
}

/* On by default, and so large that nobody meets it. */
TEST_F(limit, is_generous)
{
	for (int i = 0; i < ARRAY_SIZE(self->import); i++)
		EXPECT_EQ(0, import(self->et, &self->import[i]));
}

/* The user who attached pays; others have a limit of their own. */
TEST_F(limit, of_locked_memory)
{
	struct rlimit limit = { .rlim_cur = SIZE + PMD, .rlim_max = SIZE + PMD };
	int status;
	pid_t pid;

	ASSERT_EQ(0, write_file(PIN_MEMLOCK, "Y"));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		struct et_import again = self->import[0], other = self->import[1];

		setrlimit(RLIMIT_MEMLOCK, &limit);
		if (setresuid(65534, 65534, 65534))
			_exit(1);
		if (import(self->et, &self->import[0]))
			_exit(2);
		if (import(self->et, &again) != -ENOMEM ||
		    import(self->et, &other) != -ENOMEM)
			_exit(3);
		/* Given back with the attachment. */
		ioctl(self->et, ET_UNIMPORT, self->import[0].id);
		if (import(self->et, &other))
			_exit(4);
		ioctl(self->et, ET_UNIMPORT, other.id);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, WEXITSTATUS(status));
	/* Root may lock as much as it likes. */
	EXPECT_EQ(0, import(self->et, &self->import[0]));
	EXPECT_EQ(0, import(self->et, &self->import[1]));
}

TEST_HARNESS_MAIN
