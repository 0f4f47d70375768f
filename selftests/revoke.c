// SPDX-License-Identifier: GPL-2.0
/*
 * Revocation: for good, and for a while.
 */
#include <linux/dma-buf.h>

#include "control.h"
#include "moves.h"
#include "harness.h"

FIXTURE(revoke) {
	int et;
	struct et_alloc how;
	struct et_import import;
	struct caller caller;
	struct toucher toucher;
	struct et_stats before;
	char *map;
};

FIXTURE_SETUP(revoke)
{
	self->et = et_open();
	ASSERT_GE(self->et, 0);
	ASSERT_EQ(0, buffer_alloc(self->et, &self->how, ET_PAGES, 0, 0));
	self->import.fd = self->how.fd;
	self->map = buffer_map(self->how.fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	fill(self->map, 1);
	self->before = et_stats(self->et);
}

FIXTURE_TEARDOWN(revoke)
{
	munmap(self->map, SIZE);
	if (self->import.id)
		ioctl(self->et, ET_UNIMPORT, self->import.id);
	ioctl(self->et, ET_FREE, self->how.id);
	close(self->how.fd);
	close(self->et);
}

static int take(int et, uint32_t id, unsigned int flags, unsigned int timeout_ms)
{
	struct et_move move = { .id = id, .flags = flags, .timeout_ms = timeout_ms };

	return ioctl(et, ET_REVOKE, &move) ? -errno : 0;
}

static int suspend(int et, uint32_t id, unsigned int timeout_ms)
{
	return take(et, id, ET_REVOKE_SUSPEND, timeout_ms);
}

static int begin_access(int fd)
{
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW };

	return ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync) ? -errno : 0;
}

TEST_F(revoke, every_way_in_is_closed)
{
	char *node = buffer_map(self->et, self->how.node_offset);
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	uint64_t word;

	ASSERT_EQ(0, wrong(node, 1));
	ASSERT_EQ(0, take(self->et, self->how.id, 0, ET_FOREVER));
	EXPECT_EQ(self->before.frees + 1, et_stats(self->et).frees);

	EXPECT_EQ(SIGBUS, signal_of_touch(self->map));
	EXPECT_EQ(SIGBUS, signal_of_touch(self->map + PMD));
	EXPECT_EQ(SIGBUS, signal_of_touch(node));
	EXPECT_EQ(-1, pread(mem, &word, sizeof(word), (off_t)self->map));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, SIZE, PROT_READ, MAP_SHARED, self->how.fd, 0));
	EXPECT_EQ(ENODEV, errno);
	for (self->import.dynamic = 0; self->import.dynamic <= ET_P2P; self->import.dynamic++) {
		EXPECT_EQ(-1, ioctl(self->et, ET_IMPORT, &self->import));
		EXPECT_EQ(ENODEV, errno);
	}
	EXPECT_EQ(-ENODEV, begin_access(self->how.fd));
	EXPECT_EQ(-ENODEV, buffer_move(self->et, self->how.id, WAIT, 0, ET_FOREVER));
	EXPECT_EQ(-ENODEV, suspend(self->et, self->how.id, ET_FOREVER));
	/* Once is enough, and once more does no harm. */
	EXPECT_EQ(0, take(self->et, self->how.id, 0, ET_FOREVER));
	munmap(node, SIZE);
	close(mem);
}

/* Who sleeps in a page fault, for a fence that may never be signalled, is woken. */
TEST_F(revoke, fault_behind_fence)
{
	char *map = buffer_map(self->how.fd, 0);
	int status = 0;
	pid_t pid;

	ASSERT_EQ(0, ioctl(self->et, ET_FENCE, self->how.fd));
	pid = fork();
	if (!pid) {
		poke(map, 1);
		_exit(0);
	}
	wait_asleep(pid, pid);
	EXPECT_EQ(-ETIMEDOUT, take(self->et, self->how.id, 0, 0));
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	EXPECT_EQ(0, ioctl(self->et, ET_SIGNAL));
	EXPECT_EQ(0, take(self->et, self->how.id, 0, ET_FOREVER));
	munmap(map, SIZE);
}

/* Who was mapped has been told, and gets no second mapping. */
TEST_F(revoke, prompt_importer)
{
	uint64_t word;

	self->import.dynamic = ET_DYNAMIC;
	ASSERT_EQ(0, ioctl(self->et, ET_IMPORT, &self->import));
	EXPECT_EQ(0, take(self->et, self->how.id, 0, ET_FOREVER));
	EXPECT_EQ(self->before.invalidates + 1, et_stats(self->et).invalidates);
	EXPECT_EQ(-ENODEV, dma(self->et, self->import.id, false, 0, &word, sizeof(word)));
	EXPECT_EQ(-1, ioctl(self->et, ET_PIN, self->import.id));
	EXPECT_EQ(ENODEV, errno);
}

/* A control handle of a buffer that the test module can lock and map. */
FIXTURE(handle) {
	int et;
	int dev;
	struct controlled buf;
	struct caller caller;
	struct dma_buf_exporter_revoke_args how;
};

FIXTURE_SETUP(handle)
{
	self->et = et_open();
	ASSERT_GE(self->et, 0);
	self->dev = control_open();
	ASSERT_GE(self->dev, 0);
	ASSERT_EQ(0, control_alloc(self->dev, "pfnmap", NULL, SIZE, &self->buf));
	self->how = (struct dma_buf_exporter_revoke_args) { .size = sizeof(self->how) };
}

FIXTURE_TEARDOWN(handle)
{
	control_free(&self->buf);
	close(self->dev);
	close(self->et);
}

static void on_signal(int signal)
{
}

/* Who waits for those who have the buffer locked can still change their mind. */
TEST_F(handle, interrupted)
{
	struct dma_buf_exporter_info info;
	char *map = buffer_map(self->buf.fd, 0);

	sigaction(SIGUSR1, &(struct sigaction) { .sa_handler = on_signal }, NULL);
	ASSERT_EQ(0, ioctl(self->et, ET_HOLD, self->buf.fd));
	self->how.timeout_ms = ET_FOREVER;
	start_call(&self->caller, self->buf.control, DMA_BUF_EXPORTER_REVOKE,
		   (unsigned long)&self->how);
	pthread_kill(self->caller.thread, SIGUSR1);
	EXPECT_EQ(-EINTR, finish(&self->caller));
	EXPECT_EQ(0, ioctl(self->et, ET_RELEASE));

	ASSERT_EQ(0, control_info(self->buf.control, &info));
	EXPECT_EQ(0, info.state);
	EXPECT_EQ(0, signal_of_touch(map));
	EXPECT_EQ(0, control_revoke(self->buf.control));
	EXPECT_EQ(SIGBUS, signal_of_touch(map));
	munmap(map, SIZE);
}

/*
 * The time for the lock is part of the time there is: who gets the lock after that
 * does not wait for the kernel mapping as well.
 */
TEST_F(handle, timeout)
{
	long before;

	ASSERT_EQ(0, ioctl(self->et, ET_VHOLD, self->buf.fd));
	ASSERT_EQ(0, ioctl(self->et, ET_HOLD, self->buf.fd));
	self->how.timeout_ms = 20;
	start_call(&self->caller, self->buf.control, DMA_BUF_EXPORTER_REVOKE,
		   (unsigned long)&self->how);
	usleep(100000);
	EXPECT_FALSE(self->caller.done);
	before = sleeps(self->caller.tid);
	EXPECT_LT(0, before);
	EXPECT_EQ(0, ioctl(self->et, ET_RELEASE));
	EXPECT_EQ(-ETIMEDOUT, finish(&self->caller));
	EXPECT_EQ(before, self->caller.sleeps);
	EXPECT_EQ(0, ioctl(self->et, ET_VDROP));
	EXPECT_EQ(0, control_revoke(self->buf.control));
}

/* The memory goes back with the last mapping, of whatever kind. */
FIXTURE(holder) {
	int et;
	struct et_alloc how;
	struct et_import import;
	char *map;
};

FIXTURE_VARIANT(holder) {
	unsigned int dynamic;
	bool pin;
	unsigned long hold, drop;
};

FIXTURE_VARIANT_ADD(holder, static_importer) { ET_STATIC };
FIXTURE_VARIANT_ADD(holder, late_importer) { ET_LATE };
FIXTURE_VARIANT_ADD(holder, pinned_importer) { ET_LATE, true };
FIXTURE_VARIANT_ADD(holder, kernel_mapping) { 0, false, ET_VHOLD, ET_VDROP };
FIXTURE_VARIANT_ADD(holder, fence) { 0, false, ET_WRITE_FENCE, ET_SIGNAL };

FIXTURE_SETUP(holder)
{
	self->et = et_open();
	ASSERT_GE(self->et, 0);
	ASSERT_EQ(0, buffer_alloc(self->et, &self->how, ET_PAGES, 0, 0));
	self->map = buffer_map(self->how.fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	fill(self->map, 1);
	self->import = (struct et_import) {
		.fd = self->how.fd, .dynamic = variant->dynamic, .pin = variant->pin,
	};
	ASSERT_EQ(0, variant->hold ? ioctl(self->et, variant->hold, self->how.fd) :
				     ioctl(self->et, ET_IMPORT, &self->import));
}

FIXTURE_TEARDOWN(holder)
{
	munmap(self->map, SIZE);
	ioctl(self->et, ET_FREE, self->how.id);
	close(self->how.fd);
	close(self->et);
}

TEST_F(holder, memory_goes_with_the_last)
{
	struct et_stats before = et_stats(self->et);
	struct caller revoker = {};
	uint64_t word = 0;

	EXPECT_EQ(-ETIMEDOUT, take(self->et, self->how.id, 0, 20));
	EXPECT_EQ(SIGBUS, signal_of_touch(self->map));
	EXPECT_EQ(before.frees, et_stats(self->et).frees);
	if (!variant->hold) {
		EXPECT_EQ(0, dma(self->et, self->import.id, false, 0, &word, sizeof(word)));
		EXPECT_EQ(1, word);
	}

	revoker.move = (struct et_move) { .id = self->how.id, .timeout_ms = ET_FOREVER };
	start_call(&revoker, self->et, ET_REVOKE, (unsigned long)&revoker.move);
	EXPECT_FALSE(revoker.done);
	ASSERT_EQ(0, variant->hold ? ioctl(self->et, variant->drop) :
				     ioctl(self->et, ET_UNIMPORT, self->import.id));
	EXPECT_EQ(0, finish(&revoker));
	EXPECT_EQ(before.frees + 1, et_stats(self->et).frees);
}

/* A mover that waits for an importer gives up when the buffer is revoked. */
TEST_F(revoke, while_a_move_waits)
{
	ASSERT_EQ(0, ioctl(self->et, ET_IMPORT, &self->import));
	start_move(&self->caller, self->et, &(struct et_move) {
		.id = self->how.id, .timeout_ms = ET_FOREVER });
	EXPECT_EQ(-ETIMEDOUT, take(self->et, self->how.id, 0, 0));
	EXPECT_EQ(-ENODEV, finish(&self->caller));
	/* The memory is with the importer. */
	EXPECT_EQ(self->before.frees, et_stats(self->et).frees);
}

/* In the middle of an asynchronous copy both places are in use, until it ends. */
TEST_F(revoke, while_a_device_copies)
{
	struct caller revoker = {};

	ASSERT_EQ(0, buffer_move(self->et, self->how.id, WAIT, ET_MOVE_ASYNC, ET_FOREVER));
	EXPECT_EQ(-ETIMEDOUT, take(self->et, self->how.id, 0, 20));
	EXPECT_EQ(self->before.frees, et_stats(self->et).frees);
	EXPECT_EQ(SIGBUS, signal_of_touch(self->map));
	revoker.move = (struct et_move) { .id = self->how.id, .timeout_ms = ET_FOREVER };
	start_call(&revoker, self->et, ET_REVOKE, (unsigned long)&revoker.move);
	ASSERT_EQ(0, ioctl(self->et, ET_GO, 0));
	EXPECT_EQ(0, finish(&revoker));
	EXPECT_EQ(self->before.frees + 2, et_stats(self->et).frees);
}

TEST_F(revoke, suspended_access_waits)
{
	uint64_t word;

	self->import.dynamic = ET_DYNAMIC;
	ASSERT_EQ(0, ioctl(self->et, ET_IMPORT, &self->import));
	ASSERT_EQ(0, suspend(self->et, self->how.id, ET_FOREVER));
	EXPECT_EQ(0, entries(self->map));
	EXPECT_EQ(-EAGAIN, dma(self->et, self->import.id, false, 0, &word, sizeof(word)));

	start_toucher(&self->toucher, self->map + 8, 7);
	start_call(&self->caller, self->how.fd, DMA_BUF_IOCTL_SYNC, (unsigned long)
		   &(struct dma_buf_sync) { .flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW });
	EXPECT_FALSE(self->toucher.done);
	EXPECT_FALSE(self->caller.done);
	/* It can be mapped, and moved, meanwhile. */
	EXPECT_EQ(0, munmap(buffer_map(self->how.fd, 0), SIZE));
	EXPECT_EQ(0, buffer_move(self->et, self->how.id, WAIT, 0, ET_FOREVER));
	EXPECT_FALSE(self->toucher.done);

	ASSERT_EQ(0, ioctl(self->et, ET_RESUME, self->how.id));
	pthread_join(self->toucher.thread, NULL);
	EXPECT_EQ(0, finish(&self->caller));
	EXPECT_EQ(0, wrong(self->map, 1));
	EXPECT_EQ(7, self->map[8]);
	EXPECT_EQ(0, dma(self->et, self->import.id, false, PAGE, &word, sizeof(word)));
	EXPECT_EQ(1 + PAGE, word);
}

/* Suspended twice, it takes two to resume it. */
TEST_F(revoke, suspensions_nest)
{
	ASSERT_EQ(0, suspend(self->et, self->how.id, ET_FOREVER));
	ASSERT_EQ(0, suspend(self->et, self->how.id, ET_FOREVER));
	start_toucher(&self->toucher, self->map + 8, 7);
	ASSERT_EQ(0, ioctl(self->et, ET_RESUME, self->how.id));
	EXPECT_EQ(0, entries(self->map));
	ASSERT_EQ(0, ioctl(self->et, ET_RESUME, self->how.id));
	pthread_join(self->toucher.thread, NULL);
	EXPECT_EQ(7, self->map[8]);
}

/* Somebody can still reach the memory: it is not suspended. */
TEST_F(revoke, suspend_fails)
{
	ASSERT_EQ(0, ioctl(self->et, ET_IMPORT, &self->import));
	EXPECT_EQ(-ETIMEDOUT, suspend(self->et, self->how.id, 20));
	EXPECT_EQ(0, wrong(self->map, 1));
}

/* The address space is free while a fault waits for the end of a suspension. */
TEST_F(revoke, suspended_fault_holds_nothing)
{
	int status;
	pid_t pid;

	ASSERT_EQ(0, suspend(self->et, self->how.id, ET_FOREVER));
	start_toucher(&self->toucher, self->map + 8, 7);
	EXPECT_EQ(0, munmap(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
			    PAGE));
	pid = fork();
	if (!pid) {
		poke(self->map, 1);
		_exit(0);
	}
	wait_asleep(pid, pid);
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	ASSERT_EQ(0, ioctl(self->et, ET_RESUME, self->how.id));
	pthread_join(self->toucher.thread, NULL);
}

/* Who waits for the end of a suspension learns that there is none. */
TEST_F(revoke, while_suspended)
{
	int status;
	pid_t pid;

	ASSERT_EQ(0, suspend(self->et, self->how.id, ET_FOREVER));
	pid = fork();
	if (!pid) {
		poke(self->map, 1);
		_exit(0);
	}
	wait_asleep(pid, pid);
	ASSERT_EQ(0, take(self->et, self->how.id, 0, ET_FOREVER));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGBUS, WTERMSIG(status));
	EXPECT_EQ(self->before.frees + 1, et_stats(self->et).frees);
}

TEST_HARNESS_MAIN
