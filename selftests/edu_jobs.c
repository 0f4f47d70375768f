// SPDX-License-Identifier: GPL-2.0
/*
 * Jobs of a real DMA engine: their fences are there for as long as they run, and
 * are signalled however the file that started them goes away.
 */
#include <signal.h>
#include <sys/wait.h>

#include "edu.h"
#include "harness.h"

FIXTURE(jobs) {
	int edu;
	int et;
	struct edu_stats before;
};

FIXTURE_VARIANT(jobs) {
	unsigned int mode;
};

FIXTURE_VARIANT_ADD(jobs, dynamic) { EDU_DYNAMIC };
FIXTURE_VARIANT_ADD(jobs, late) { EDU_DYNAMIC_LATE };
FIXTURE_VARIANT_ADD(jobs, library) { EDU_LIBRARY };

FIXTURE_SETUP(jobs)
{
	self->edu = edu_open();
	if (self->edu < 0 && errno == ENOENT)
		SKIP(return, "no edu device in this machine");
	ASSERT_GE(self->edu, 0);
	self->et = et_open();
	ASSERT_GE(self->et, 0);
	self->before = edu_stats(self->edu);
}

/* Whatever a test did: no mapping is left, and no job failed. */
FIXTURE_TEARDOWN(jobs)
{
	if (self->edu < 0)
		return;
	EXPECT_TRUE(edu_left_nothing(self->edu, self->before));
	close(self->et);
}

/* What a held job leaves in the buffers: fences of the right usage. */
TEST_F(jobs, fences)
{
	struct edu_attach from, to;
	struct buffer src, dst;

	ASSERT_EQ(0, buffer_alloc(self->et, &src, HEAP, 0));
	ASSERT_EQ(0, buffer_alloc(self->et, &dst, HEAP, 0));
	from = attach(self->edu, src.fd, variant->mode, 0, TO_DEVICE);
	to = attach(self->edu, dst.fd, variant->mode, 0, FROM_DEVICE);
	ASSERT_NE(0, from.id);
	ASSERT_NE(0, to.id);
	memset(src.map, 0x66, 64);

	ASSERT_EQ(0, ioctl(self->edu, EDU_HOLD));
	ASSERT_EQ(0, copy(self->edu, from.id, 0, to.id, 0, 64, EDU_ASYNC | EDU_BOOKKEEP));
	EXPECT_FALSE(busy(src.fd, POLLIN));
	EXPECT_FALSE(busy(src.fd, POLLOUT));
	EXPECT_FALSE(busy(dst.fd, POLLIN));
	EXPECT_FALSE(busy(dst.fd, POLLOUT));
	ASSERT_EQ(0, copy(self->edu, from.id, 0, to.id, 64, 64, EDU_ASYNC));
	EXPECT_FALSE(busy(src.fd, POLLIN));
	EXPECT_TRUE(busy(src.fd, POLLOUT));
	EXPECT_TRUE(busy(dst.fd, POLLIN));
	EXPECT_TRUE(busy(dst.fd, POLLOUT));
	EXPECT_EQ(0, peek(dst.map));

	ASSERT_EQ(0, ioctl(self->edu, EDU_GO));
	ASSERT_EQ(1, poll(&(struct pollfd){ dst.fd, POLLIN }, 1, -1));
	EXPECT_TRUE(!memcmp(dst.map, src.map, 64));
	EXPECT_TRUE(!memcmp(dst.map + 64, src.map, 64));
	EXPECT_FALSE(busy(src.fd, POLLOUT));
	EXPECT_EQ(self->before.jobs + 2, edu_stats(self->edu).jobs);
	buffer_free(self->et, &src);
	buffer_free(self->et, &dst);
}

/* A job waits for whoever moves the memory. */
TEST_F(jobs, kernel_fence)
{
	struct edu_attach how;
	struct edu_copy c;
	struct caller caller;
	struct buffer b;

	ASSERT_EQ(0, buffer_alloc(self->et, &b, HEAP, 0));
	how = attach(self->edu, b.fd, variant->mode, 0, BIDIRECTIONAL);
	ASSERT_NE(0, how.id);
	c = (struct edu_copy) { .src = how.id, .dst = how.id, .dst_offset = 64, .len = 64 };
	memset(b.map, 0x77, 64);
	ASSERT_EQ(0, ioctl(self->et, ET_FENCE, b.fd));
	call_asleep(&caller, self->edu, EDU_COPY, (uintptr_t)&c);
	/* It sleeps before it queues a job: there is none to wait for. */
	EXPECT_EQ(0, ioctl(self->edu, EDU_WAIT));
	EXPECT_EQ(self->before.jobs, edu_stats(self->edu).jobs);
	EXPECT_TRUE(call_pending(&caller));
	ASSERT_EQ(0, ioctl(self->et, ET_SIGNAL));
	EXPECT_EQ(0, call_end(&caller));
	EXPECT_EQ(0x77, peek(b.map + 64));
	buffer_free(self->et, &b);
}

/* An attachment stays until its jobs are done. */
TEST_F(jobs, detach_waits)
{
	struct caller caller;
	struct edu_attach how;
	struct buffer b;

	ASSERT_EQ(0, buffer_alloc(self->et, &b, HEAP, 0));
	how = attach(self->edu, b.fd, variant->mode, 0, BIDIRECTIONAL);
	ASSERT_NE(0, how.id);
	memset(b.map, 0x12, 64);
	ASSERT_EQ(0, ioctl(self->edu, EDU_HOLD));
	ASSERT_EQ(0, copy(self->edu, how.id, 0, how.id, 64, 64, EDU_ASYNC));
	call_asleep(&caller, self->edu, EDU_DETACH, how.id);
	EXPECT_TRUE(call_pending(&caller));
	EXPECT_EQ(1, query(self->edu, how.id, 0).nents > 0);
	ASSERT_EQ(0, ioctl(self->edu, EDU_GO));
	EXPECT_EQ(0, call_end(&caller));
	EXPECT_EQ(0x12, peek(b.map + 64));
	buffer_free(self->et, &b);
}

/* A file that is closed while it holds jobs: they are done, and then all goes. */
TEST_F(jobs, close_while_held)
{
	int before = live_buffers();
	struct edu_attach how;
	struct buffer b;

	ASSERT_EQ(0, buffer_alloc(self->et, &b, HEAP, 0));
	how = attach(self->edu, b.fd, variant->mode, 0, BIDIRECTIONAL);
	ASSERT_NE(0, how.id);
	memset(b.map, 0x13, 64);
	ASSERT_EQ(0, ioctl(self->edu, EDU_HOLD));
	ASSERT_EQ(0, copy(self->edu, how.id, 0, how.id, 64, 64, EDU_ASYNC));
	ASSERT_EQ(0, copy(self->edu, how.id, 64, how.id, 128, 64, EDU_ASYNC));
	EXPECT_TRUE(busy(b.fd, POLLIN));
	close(self->edu);
	EXPECT_FALSE(busy(b.fd, POLLOUT));
	EXPECT_EQ(0x13, peek(b.map + 128));
	self->edu = edu_open();
	EXPECT_EQ(self->before.jobs + 2, edu_stats(self->edu).jobs);
	EXPECT_EQ(0, mapped(b.fd));
	buffer_free(self->et, &b);
	EXPECT_EQ(before, live_buffers());
}

/* A process that is killed while it waits for its own held job. */
TEST_F(jobs, killed)
{
	int before = live_buffers(), status, edu, ready[2];
	struct edu_attach how;
	struct buffer b;
	pid_t pid;
	char c;

	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(0, buffer_alloc(self->et, &b, HEAP, 0));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		char data[64] = { 0x14 };

		edu = edu_open();
		how = attach(edu, b.fd, variant->mode, 0, BIDIRECTIONAL);
		if (!how.id || ioctl(edu, EDU_HOLD) || write(ready[1], "", 1) != 1)
			_exit(1);
		_exit(edu_access(edu, EDU_WRITE, how.id, 0, data, sizeof(data)) ? 2 : 3);
	}
	ASSERT_EQ(1, read(ready[0], &c, 1));
	wait_asleep(pid, pid);
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
	/* Its file goes with it, the job before that. */
	EXPECT_EQ(1, poll(&(struct pollfd){ b.fd, POLLOUT }, 1, -1));
	buffer_free(self->et, &b);
	EXPECT_EQ(before, live_buffers());
	close(ready[0]);
	close(ready[1]);
}

static int unload(void)
{
	return syscall(SYS_delete_module, "edu_dma", O_NONBLOCK) ? -errno : 0;
}

/* A fence that somebody else keeps needs the module, done or not. */
TEST_F(jobs, fence_holds_module)
{
	struct dma_buf_export_sync_file sync = { .flags = DMA_BUF_SYNC_READ };
	struct edu_attach how;
	struct buffer b;

	ASSERT_EQ(0, buffer_alloc(self->et, &b, HEAP, 0));
	how = attach(self->edu, b.fd, variant->mode, 0, BIDIRECTIONAL);
	ASSERT_NE(0, how.id);
	ASSERT_EQ(0, ioctl(self->edu, EDU_HOLD));
	ASSERT_EQ(0, copy(self->edu, how.id, 0, how.id, 64, 64, EDU_ASYNC));
	ASSERT_EQ(0, ioctl(b.fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &sync));
	EXPECT_EQ(0, poll(&(struct pollfd){ sync.fd, POLLIN }, 1, 0));
	EXPECT_EQ(-EAGAIN, unload());
	close(self->edu);
	EXPECT_EQ(1, poll(&(struct pollfd){ sync.fd, POLLIN }, 1, 0));
	EXPECT_EQ(-EAGAIN, unload());
	buffer_free(self->et, &b);
	EXPECT_EQ(-EAGAIN, unload());
	close(sync.fd);
	EXPECT_EQ(0, unload());
	EXPECT_EQ(0, system("modprobe edu_dma"));
	self->edu = edu_open();
	EXPECT_GE(self->edu, 0);
	self->before = edu_stats(self->edu);
}

TEST_HARNESS_MAIN
