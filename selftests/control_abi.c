// SPDX-License-Identifier: GPL-2.0
/*
 * The structures of /dev/dma_buf_exporter and of control handles, byte by byte:
 * from programs that know less or more than the kernel, and from broken ones.
 */
#include "control.h"
#include "heap.h"
#include "harness.h"

FIXTURE(call) {
	int dev;
	int fds;
	int live;
	int fd;
	struct controlled buf;
	union any any;
};

FIXTURE_VARIANT(call) {
	unsigned long cmd;
	size_t size;
	size_t least;
	bool on_device;
};

FIXTURE_VARIANT_ADD(call, info) {
	.cmd = DMA_BUF_EXPORTER_INFO,
	.size = sizeof(struct dma_buf_exporter_info),
	.least = offsetof(struct dma_buf_exporter_info, state),
	.on_device = true,
};

FIXTURE_VARIANT_ADD(call, alloc) {
	.cmd = DMA_BUF_EXPORTER_ALLOC,
	.size = sizeof(struct dma_buf_exporter_alloc),
	.least = sizeof(struct dma_buf_exporter_alloc),
	.on_device = true,
};

FIXTURE_VARIANT_ADD(call, move) {
	.cmd = DMA_BUF_EXPORTER_MOVE,
	.size = sizeof(struct dma_buf_exporter_move_args),
	.least = sizeof(struct dma_buf_exporter_move_args),
};

FIXTURE_VARIANT_ADD(call, revoke) {
	.cmd = DMA_BUF_EXPORTER_REVOKE,
	.size = sizeof(struct dma_buf_exporter_revoke_args),
	.least = sizeof(struct dma_buf_exporter_revoke_args),
};

FIXTURE_SETUP(call)
{
	self->live = live_buffers();
	self->fds = count_fds();
	self->dev = control_open();
	ASSERT_GE(self->dev, 0);
	ASSERT_EQ(0, control_alloc(self->dev, "pfnmap", NULL, PAGE, &self->buf));
	self->fd = variant->on_device ? self->dev : self->buf.control;
	prepare(&self->any, variant->cmd, self->buf.fd);
}

FIXTURE_TEARDOWN(call)
{
	control_free(&self->buf);
	close(self->dev);
	EXPECT_EQ(self->fds, count_fds());
	EXPECT_EQ(self->live, live_buffers());
}

TEST_F(call, size_too_small)
{
	for (size_t size = 0; size < variant->least; size++) {
		self->any.size = size;
		EXPECT_EQ(-EINVAL, call(self->fd, variant->cmd, &self->any)) {
			TH_LOG("size %zu", size);
		}
	}
	self->any.size = variant->least;
	EXPECT_EQ(0, call(self->fd, variant->cmd, &self->any));
}

/* From a program that knows more than the kernel: all right if it wants nothing. */
TEST_F(call, size_larger)
{
	static const size_t more[] = { 1, 4, 8, 100 };

	for (int i = 0; i < ARRAY_SIZE(more); i++) {
		size_t size = variant->size + more[i];

		prepare(&self->any, variant->cmd, self->buf.fd);
		self->any.size = size;
		self->any.bytes[size] = 1;
		EXPECT_EQ(0, call(self->fd, variant->cmd, &self->any)) {
			TH_LOG("size %zu", size);
		}
		EXPECT_EQ(1, self->any.bytes[size]);
		EXPECT_TRUE(is_filled(self->any.bytes + variant->size, 0, more[i]));

		for (size_t at = variant->size; at < size; at++) {
			prepare(&self->any, variant->cmd, self->buf.fd);
			self->any.size = size;
			self->any.bytes[at] = 1;
			EXPECT_EQ(-E2BIG, call(self->fd, variant->cmd, &self->any)) {
				TH_LOG("size %zu, byte %zu", size, at);
			}
		}
	}
}

/* No structure is larger than a page; who says so keeps the kernel busy. */
TEST_F(call, size_absurd)
{
	self->any.size = PAGE + 1;
	EXPECT_EQ(-E2BIG, call(self->fd, variant->cmd, &self->any));
	self->any.size = ~0U;
	EXPECT_EQ(-E2BIG, call(self->fd, variant->cmd, &self->any));
}

TEST_F(call, unknown_flags)
{
	for (int bit = 0; bit < 32; bit++) {
		__u32 flag = 1U << bit;

		if (variant->cmd == DMA_BUF_EXPORTER_MOVE && flag == DMA_BUF_EXPORTER_COMPACT)
			continue;
		prepare(&self->any, variant->cmd, self->buf.fd);
		/* Behind the size in all of them. */
		self->any.info.flags = flag;
		EXPECT_EQ(-EINVAL, call(self->fd, variant->cmd, &self->any)) {
			TH_LOG("flag %x", flag);
		}
	}
}

TEST_F(call, bad_pointer)
{
	char *page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *at = page + PAGE - variant->size + 4;

	ASSERT_NE(MAP_FAILED, page);
	munmap(page + PAGE, PAGE);
	EXPECT_EQ(-EFAULT, call(self->fd, variant->cmd, NULL));
	EXPECT_EQ(-EFAULT, call(self->fd, variant->cmd, (void *)(page + PAGE)));
	memcpy(at, &self->any, variant->size - 4);
	EXPECT_EQ(-EFAULT, call(self->fd, variant->cmd, (void *)at));
	munmap(page, PAGE);
}

/* Each descriptor has its own calls. */
TEST_F(call, wrong_descriptor)
{
	int other = variant->on_device ? self->buf.control : self->dev;

	EXPECT_EQ(-ENOTTY, control_call(self->buf.fd, variant->cmd, &self->any));
	if (variant->cmd != DMA_BUF_EXPORTER_INFO)
		EXPECT_EQ(-ENOTTY, control_call(other, variant->cmd, &self->any));
	EXPECT_EQ(-ENOTTY, control_call(self->fd, _IO(DMA_BUF_EXPORTER_TYPE, 4), &self->any));
	EXPECT_EQ(-ENOTTY, control_call(self->fd, _IO('x', 0), &self->any));
}

TEST_HARNESS_MAIN
