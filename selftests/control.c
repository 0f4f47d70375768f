// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/dma_buf_exporter and control handles: values, descriptors, and who may do
 * what. Every test ends with the descriptors it began with and no buffer alive.
 */
#include <sys/stat.h>
#include <sys/wait.h>

#include "control.h"
#include "heap.h"
#include "harness.h"

FIXTURE(control) {
	int dev;
	int fds;
	int live;
	struct controlled buf;
	union any any;
};

FIXTURE_SETUP(control)
{
	self->live = live_buffers();
	self->fds = count_fds();
	self->dev = control_open();
	ASSERT_GE(self->dev, 0);
	ASSERT_EQ(0, control_alloc(self->dev, "pfnmap", NULL, 2 * PMD, &self->buf));
}

FIXTURE_TEARDOWN(control)
{
	if (self->buf.fd >= 0)
		close(self->buf.fd);
	if (self->buf.control >= 0)
		close(self->buf.control);
	close(self->dev);
	EXPECT_EQ(self->fds, count_fds());
	EXPECT_EQ(self->live, live_buffers());
}

#define ALLOC_FAILS(error, field, value) do {					\
	prepare(&self->any, DMA_BUF_EXPORTER_ALLOC, 0);				\
	self->any.alloc.field = (value);					\
	EXPECT_EQ(-(error), call(self->dev, DMA_BUF_EXPORTER_ALLOC, &self->any)); \
} while (0)

TEST_F(control, alloc_values)
{
	ALLOC_FAILS(EINVAL, length, 0);
	ALLOC_FAILS(EINVAL, length, ~0ULL);
	ALLOC_FAILS(ENOMEM, length, 1ULL << 62);
	ALLOC_FAILS(EINVAL, fd, 1);
	ALLOC_FAILS(EINVAL, fd, -1);
	ALLOC_FAILS(EINVAL, control_fd, 1);
	ALLOC_FAILS(EINVAL, reserved, 1);
	ALLOC_FAILS(ENOENT, source[0], 0);
	ALLOC_FAILS(ENOENT, source[6], 'x');
	ALLOC_FAILS(EINVAL, placement[0], 'x');
	for (int bit = 0; bit < 32; bit++)
		if (!((1U << bit) & (O_ACCMODE | O_CLOEXEC)))
			ALLOC_FAILS(EINVAL, fd_flags, O_RDWR | 1U << bit);

	prepare(&self->any, DMA_BUF_EXPORTER_ALLOC, 0);
	memset(self->any.alloc.source, 'a', sizeof(self->any.alloc.source));
	EXPECT_EQ(-EINVAL, call(self->dev, DMA_BUF_EXPORTER_ALLOC, &self->any));
	prepare(&self->any, DMA_BUF_EXPORTER_ALLOC, 0);
	memset(self->any.alloc.placement, 'a', sizeof(self->any.alloc.placement));
	EXPECT_EQ(-EINVAL, call(self->dev, DMA_BUF_EXPORTER_ALLOC, &self->any));
}

TEST_F(control, move_values)
{
	int control = self->buf.control;

	prepare(&self->any, DMA_BUF_EXPORTER_MOVE, 0);
	memset(self->any.move.placement, 'a', sizeof(self->any.move.placement));
	EXPECT_EQ(-EINVAL, call(control, DMA_BUF_EXPORTER_MOVE, &self->any));
	for (__u32 policy = DMA_BUF_EXPORTER_BLOCK + 1; policy; policy *= 3) {
		prepare(&self->any, DMA_BUF_EXPORTER_MOVE, 0);
		self->any.move.policy = policy;
		EXPECT_EQ(-EINVAL, call(control, DMA_BUF_EXPORTER_MOVE, &self->any));
		if (policy > ~0U / 3)
			break;
	}
	prepare(&self->any, DMA_BUF_EXPORTER_REVOKE, 0);
	self->any.revoke.reserved = 1;
	EXPECT_EQ(-EINVAL, call(control, DMA_BUF_EXPORTER_REVOKE, &self->any));
	for (__u32 policy = 0; policy <= DMA_BUF_EXPORTER_BLOCK; policy++)
		EXPECT_EQ(0, control_move(control, NULL, policy, 0));
	ASSERT_EQ(0, control_info(control, &self->any.info));
	EXPECT_EQ(3, self->any.info.moves);
	EXPECT_EQ(0, self->any.info.state);
}

TEST_F(control, info_values)
{
	struct dma_buf_exporter_info *info = &self->any.info;
	struct stat st;
	char *map_;

	ASSERT_EQ(0, fstat(self->buf.fd, &st));
	map_ = map(self->buf.fd, 2 * PMD);
	ASSERT_NE(MAP_FAILED, map_);
	poke(map_, 1);
	prepare(&self->any, DMA_BUF_EXPORTER_INFO, self->buf.fd);
	memset(&info->state, 0xa5, sizeof(*info) - offsetof(typeof(*info), state));
	ASSERT_EQ(0, control_call(self->dev, DMA_BUF_EXPORTER_INFO, info));
	EXPECT_EQ(0, info->state);
	EXPECT_EQ(st.st_ino, info->id);
	EXPECT_EQ(2 * PMD, info->length);
	EXPECT_GE(info->largest_extent, PMD);
	EXPECT_EQ(0, info->moves);
	EXPECT_EQ(0, info->moves_failed);
	EXPECT_EQ(1, info->pmd_faults + info->pte_faults);
	EXPECT_EQ(1, info->mappings);
	EXPECT_EQ(0, info->attachments + info->maps + info->pins + info->vmaps);
	EXPECT_STREQ("pfnmap", info->exporter);
	EXPECT_STREQ("system", info->placement);
	munmap(map_, 2 * PMD);

	/* The handle says the same. */
	ASSERT_EQ(0, control_info(self->buf.control, info));
	EXPECT_EQ(st.st_ino, info->id);
	EXPECT_EQ(0, info->mappings);

	/* Nothing but the answer is in it, even where there is no memory. */
	EXPECT_EQ(0, control_revoke(self->buf.control));
	memset(info, 0xa5, sizeof(*info));
	info->size = sizeof(*info);
	info->flags = 0;
	info->fd = self->buf.fd;
	ASSERT_EQ(0, control_call(self->dev, DMA_BUF_EXPORTER_INFO, info));
	EXPECT_EQ(DMA_BUF_EXPORTER_REVOKED, info->state);
	EXPECT_EQ(0, info->largest_extent);
	EXPECT_EQ(0, info->extents);
	EXPECT_TRUE(is_filled(info->placement, 0, sizeof(info->placement)));

	/* Who knows only the beginning gets no more. */
	for (size_t size = offsetof(typeof(*info), state); size < sizeof(*info); size++) {
		memset(&self->any, 0xa5, sizeof(self->any));
		info->size = size;
		info->flags = 0;
		info->fd = self->buf.fd;
		ASSERT_EQ(0, control_call(self->dev, DMA_BUF_EXPORTER_INFO, info));
		ASSERT_EQ(size, info->size);
		ASSERT_TRUE(is_filled(self->any.bytes + size, 0xa5, PAGE - size)) {
			TH_LOG("size %zu", size);
		}
	}
}

TEST_F(control, info_of_what)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int system = heap_alloc("system", PAGE, O_RDWR | O_CLOEXEC);
	const struct {
		int fd;
		int ret;
	} fds[] = {
		{ -1, -EBADF }, { 9999, -EBADF }, { null, -EINVAL }, { self->dev, -EINVAL },
		{ self->buf.control, -EINVAL }, { system, -EOPNOTSUPP }, { self->buf.fd, 0 },
	};

	for (int i = 0; i < ARRAY_SIZE(fds); i++) {
		prepare(&self->any, DMA_BUF_EXPORTER_INFO, fds[i].fd);
		EXPECT_EQ(fds[i].ret, call(self->dev, DMA_BUF_EXPORTER_INFO, &self->any)) {
			TH_LOG("number %d", i);
		}
		/* A structure that cannot be right names no buffer. */
		prepare(&self->any, DMA_BUF_EXPORTER_INFO, fds[i].fd);
		self->any.size = 0;
		EXPECT_EQ(-EINVAL, call(self->dev, DMA_BUF_EXPORTER_INFO, &self->any)) {
			TH_LOG("number %d", i);
		}
	}
	/* A handle has one buffer, and needs no other. */
	prepare(&self->any, DMA_BUF_EXPORTER_INFO, self->buf.fd);
	EXPECT_EQ(-EINVAL, call(self->buf.control, DMA_BUF_EXPORTER_INFO, &self->any));
	close(system);
	close(null);
}

TEST_F(control, readonly)
{
	struct dma_buf_exporter_alloc *alloc = &self->any.alloc;
	struct dma_buf_exporter_info info;
	int fd, control;

	prepare(&self->any, DMA_BUF_EXPORTER_ALLOC, 0);
	alloc->fd_flags = O_RDONLY;
	ASSERT_EQ(0, control_call(self->dev, DMA_BUF_EXPORTER_ALLOC, alloc));
	fd = alloc->fd;
	control = alloc->control_fd;
	EXPECT_EQ(MAP_FAILED, map(fd, PAGE));
	EXPECT_EQ(EACCES, errno);
	ASSERT_EQ(0, control_info(control, &info));
	EXPECT_EQ(DMA_BUF_EXPORTER_READONLY, info.state);
	/* It is the right to the buffer that counts here. */
	EXPECT_EQ(0, control_move(control, "carve", DMA_BUF_EXPORTER_WAIT, 0));
	close(fd);
	close(control);
}

/* Either descriptor keeps the buffer, and only a handle is always close-on-exec. */
TEST_F(control, descriptors)
{
	struct dma_buf_exporter_info info;
	struct controlled other;

	for (int cloexec = 0; cloexec < 2; cloexec++) {
		struct dma_buf_exporter_alloc *alloc = &self->any.alloc;

		prepare(&self->any, DMA_BUF_EXPORTER_ALLOC, 0);
		alloc->fd_flags = O_RDWR | (cloexec ? O_CLOEXEC : 0);
		ASSERT_EQ(0, control_call(self->dev, DMA_BUF_EXPORTER_ALLOC, alloc));
		EXPECT_EQ(cloexec ? FD_CLOEXEC : 0, fcntl(alloc->fd, F_GETFD));
		EXPECT_EQ(FD_CLOEXEC, fcntl(alloc->control_fd, F_GETFD));
		close(alloc->fd);
		close(alloc->control_fd);
	}

	close(self->buf.fd);
	self->buf.fd = -1;
	ASSERT_EQ(0, control_info(self->buf.control, &info));
	EXPECT_EQ(0, control_move(self->buf.control, "carve", DMA_BUF_EXPORTER_WAIT, 0));
	EXPECT_EQ(self->live + 1, live_buffers());

	ASSERT_EQ(0, control_alloc(self->dev, "pfnmap", NULL, PAGE, &other));
	close(other.control);
	EXPECT_EQ(self->live + 2, live_buffers());
	close(other.fd);
	EXPECT_EQ(self->live + 1, live_buffers());
}

/* Both descriptors or none. */
TEST_F(control, no_descriptor_left)
{
	struct rlimit old, limit;
	int next = dup(self->dev), fds = count_fds();

	close(next);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &old));
	for (int room = 0; room < 3; room++) {
		int ret;

		limit = (struct rlimit) { next + room, old.rlim_max };
		ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
		prepare(&self->any, DMA_BUF_EXPORTER_ALLOC, 0);
		ret = call(self->dev, DMA_BUF_EXPORTER_ALLOC, &self->any);
		ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &old));
		EXPECT_EQ(room < 2 ? -EMFILE : 0, ret);
		EXPECT_EQ(fds - 1, count_fds());
		EXPECT_EQ(self->live + 1, live_buffers());
	}
}

/* An answer that cannot be delivered leaves nothing either. */
TEST_F(control, answer_lost)
{
	union any *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fds = count_fds();

	ASSERT_NE(MAP_FAILED, page);
	prepare(page, DMA_BUF_EXPORTER_ALLOC, 0);
	ASSERT_EQ(0, mprotect(page, PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, control_call(self->dev, DMA_BUF_EXPORTER_ALLOC, page));
	EXPECT_EQ(fds, count_fds());
	EXPECT_EQ(self->live + 1, live_buffers());
	munmap(page, PAGE);
}

/* Root's to permit, unless somebody is handed a descriptor. */
TEST_F(control, permission)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct dma_buf_exporter_info info;
		int ret = setgid(65534) || setuid(65534);

		ret |= control_open() >= 0 || errno != EACCES;
		ret |= !!control_info(self->buf.control, &info);
		ret |= !!control_move(self->buf.control, NULL, DMA_BUF_EXPORTER_BLOCK, 0);
		_exit(ret);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_HARNESS_MAIN
