// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/dma_heap/pfnmap: the ABI it shares with the system heap. Every test ends
 * with the file descriptors it began with and no buffer alive.
 */
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "heap.h"
#include "harness.h"
/* What both heaps must do alike. */
FIXTURE(heap) {
	int dev;
	int fds;
	int live;
};

FIXTURE_VARIANT(heap) {
	const char *name;
	bool ours;
};

FIXTURE_VARIANT_ADD(heap, pfnmap) {
	.name = "/dev/dma_heap/pfnmap",
	.ours = true,
};

FIXTURE_VARIANT_ADD(heap, system) {
	.name = "/dev/dma_heap/system",
};

FIXTURE_SETUP(heap)
{
	self->dev = open(variant->name, O_RDWR | O_CLOEXEC);
	if (self->dev < 0 && errno == ENOENT)
		SKIP(return, "no %s", variant->name);
	ASSERT_GE(self->dev, 0);
	self->live = live_buffers();
	self->fds = count_fds();
}

FIXTURE_TEARDOWN(heap)
{
	EXPECT_EQ(self->fds, count_fds());
	EXPECT_EQ(self->live, live_buffers());
	close(self->dev);
}

TEST_F(heap, zero_length)
{
	EXPECT_EQ(-EINVAL, alloc_from(self->dev, 0, O_RDWR));
	/* Rounds up to nothing. */
	EXPECT_EQ(-EINVAL, alloc_from(self->dev, ~0ULL, O_RDWR));
}

TEST_F(heap, length_rounds_up)
{
	static const __u64 lens[][2] = {
		{ 1, PAGE }, { PAGE - 1, PAGE }, { PAGE, PAGE }, { PAGE + 1, 2 * PAGE },
		{ PMD - 1, PMD }, { PMD + 1, PMD + PAGE },
	};

	for (int i = 0; i < ARRAY_SIZE(lens); i++) {
		int fd = alloc_from(self->dev, lens[i][0], O_RDWR);
		char *p;

		ASSERT_GE(fd, 0);
		EXPECT_EQ(lens[i][1], lseek(fd, 0, SEEK_END));
		p = map(fd, lens[i][1]);
		ASSERT_NE(MAP_FAILED, p);
		EXPECT_TRUE(is_filled(p, 0, lens[i][1]));
		munmap(p, lens[i][1]);
		/* The page behind the end is no part of it. */
		p = map(fd, lens[i][1] + PAGE);
		EXPECT_EQ(MAP_FAILED, p);
		EXPECT_EQ(EINVAL, errno);
		close(fd);
	}
}

TEST_F(heap, input_fd_not_zero)
{
	const int fds[] = { 1, self->dev, INT32_MAX, -1 };

	for (int i = 0; i < ARRAY_SIZE(fds); i++) {
		struct dma_heap_allocation_data data = {
			.len = PAGE, .fd_flags = O_RDWR, .fd = fds[i],
		};

		EXPECT_EQ(-EINVAL, heap_ioctl(self->dev, DMA_HEAP_IOCTL_ALLOC, &data));
	}
}

TEST_F(heap, unknown_fd_flags)
{
	for (int bit = 0; bit < 32; bit++) {
		unsigned int flag = 1U << bit;

		if (flag & (O_ACCMODE | O_CLOEXEC))
			continue;
		EXPECT_EQ(-EINVAL, alloc_from(self->dev, PAGE, O_RDWR | flag)) {
			TH_LOG("fd_flags %x", flag);
		}
	}
}

TEST_F(heap, unknown_heap_flags)
{
	for (int bit = 0; bit < 64; bit++) {
		struct dma_heap_allocation_data data = {
			.len = PAGE, .fd_flags = O_RDWR, .heap_flags = 1ULL << bit,
		};

		EXPECT_EQ(-EINVAL, heap_ioctl(self->dev, DMA_HEAP_IOCTL_ALLOC, &data)) {
			TH_LOG("heap_flags bit %d", bit);
		}
	}
}

/* A caller's structure that ends before heap_flags: they are neither read... */
TEST_F(heap, older_struct)
{
	struct dma_heap_allocation_data data = {
		.len = 2 * PAGE, .fd_flags = O_RDWR | O_CLOEXEC, .heap_flags = ~0ULL,
	};

	ASSERT_EQ(0, heap_ioctl(self->dev, _IOC(_IOC_READ | _IOC_WRITE,
						DMA_HEAP_IOC_MAGIC, 0, 16), &data));
	EXPECT_EQ(2 * PAGE, lseek(data.fd, 0, SEEK_END));
	/* ... nor written. */
	EXPECT_EQ(~0ULL, data.heap_flags);
	EXPECT_EQ(0, close(data.fd));
}

/* One that goes on behind it: the tail is left alone, whatever it holds. */
TEST_F(heap, newer_struct)
{
	static const size_t sizes[] = { 32, 48, 128, 136, 1024 };
	struct {
		struct dma_heap_allocation_data data;
		unsigned char tail[1000];
	} newer;

	for (int i = 0; i < 2 * ARRAY_SIZE(sizes); i++) {
		size_t size = sizes[i / 2];
		unsigned char fill = i % 2 ? 0xff : 0;

		memset(&newer, fill, sizeof(newer));
		newer.data = (struct dma_heap_allocation_data) {
			.len = PAGE, .fd_flags = O_RDWR,
		};
		ASSERT_EQ(0, heap_ioctl(self->dev, _IOC(_IOC_READ | _IOC_WRITE,
							DMA_HEAP_IOC_MAGIC, 0, size),
					&newer)) {
			TH_LOG("size %zu, tail of %02x", size, fill);
		}
		EXPECT_TRUE(is_filled((char *)newer.tail, fill, sizeof(newer.tail)));
		EXPECT_EQ(0, close(newer.data.fd));
	}
}

/* Nothing but the structure's size and direction makes it this call. */
TEST_F(heap, other_ioctls)
{
	struct dma_heap_allocation_data data = { .len = PAGE, .fd_flags = O_RDWR };
	const unsigned long cmds[] = {
		_IOWR(DMA_HEAP_IOC_MAGIC, 1, struct dma_heap_allocation_data),
		_IOWR(DMA_HEAP_IOC_MAGIC, 255, struct dma_heap_allocation_data),
		_IOR(DMA_HEAP_IOC_MAGIC, 0, struct dma_heap_allocation_data),
		_IO(DMA_HEAP_IOC_MAGIC, 0),
		_IOC(_IOC_READ | _IOC_WRITE, DMA_HEAP_IOC_MAGIC, 0, 0),
	};

	for (int i = 0; i < ARRAY_SIZE(cmds); i++) {
		EXPECT_EQ(-EINVAL, heap_ioctl(self->dev, cmds[i], &data)) {
			TH_LOG("command %lx", cmds[i]);
		}
	}
}

/* The core does not look at the type of an ioctl; a stricter node may. */
TEST_F(heap, another_type)
{
	struct dma_heap_allocation_data data = { .len = PAGE, .fd_flags = O_RDWR };
	int ret = heap_ioctl(self->dev, _IOWR('X', 0, struct dma_heap_allocation_data),
			     &data);

	EXPECT_TRUE(!ret || ret == -EINVAL);
	if (!ret)
		close(data.fd);
}

TEST_F(heap, bad_pointer)
{
	char *page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct dma_heap_allocation_data *data = (void *)page;

	ASSERT_NE(MAP_FAILED, page);
	munmap(page + PAGE, PAGE);
	EXPECT_EQ(-EFAULT, heap_ioctl(self->dev, DMA_HEAP_IOCTL_ALLOC, NULL));
	EXPECT_EQ(-EFAULT, heap_ioctl(self->dev, DMA_HEAP_IOCTL_ALLOC, page + PAGE));
	EXPECT_EQ(-EFAULT, heap_ioctl(self->dev, DMA_HEAP_IOCTL_ALLOC, page + PAGE - 16));
	EXPECT_EQ(-EFAULT, heap_ioctl(self->dev, DMA_HEAP_IOCTL_ALLOC, (void *)-PAGE));

	/* Read well, but not written back: the teardown looks for the buffer. */
	*data = (struct dma_heap_allocation_data) { .len = PAGE, .fd_flags = O_RDWR };
	ASSERT_EQ(0, mprotect(page, PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, heap_ioctl(self->dev, DMA_HEAP_IOCTL_ALLOC, data));
	EXPECT_EQ(0, data->fd);
	munmap(page, PAGE);
}

TEST_F(heap, out_of_descriptors)
{
	struct rlimit old, none;
	int next = dup(self->dev);

	ASSERT_GE(next, 0);
	close(next);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &old));
	none = old;
	none.rlim_cur = next;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	EXPECT_EQ(-EMFILE, alloc_from(self->dev, PMD, O_RDWR));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &old));
}

TEST_F(heap, fd_flags_honoured)
{
	static const unsigned int modes[] = { O_RDONLY, O_WRONLY, O_RDWR };

	for (int i = 0; i < 2 * ARRAY_SIZE(modes); i++) {
		unsigned int mode = modes[i / 2], cloexec = i % 2 ? O_CLOEXEC : 0;
		int fd = alloc_from(self->dev, PAGE, mode | cloexec);
		void *p;

		ASSERT_GE(fd, 0);
		EXPECT_EQ(mode, fcntl(fd, F_GETFL) & O_ACCMODE);
		EXPECT_EQ(cloexec ? FD_CLOEXEC : 0, fcntl(fd, F_GETFD));
		p = map(fd, PAGE);
		if (mode == O_RDWR) {
			ASSERT_NE(MAP_FAILED, p);
			munmap(p, PAGE);
		} else {
			EXPECT_EQ(MAP_FAILED, p);
			EXPECT_EQ(EACCES, errno);
		}
		close(fd);
	}
}

TEST_F(heap, duplicate_keeps_buffer)
{
	int fd = alloc_from(self->dev, PMD, O_RDWR), copy;
	char *p;

	ASSERT_GE(fd, 0);
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	ASSERT_GE(copy, 0);
	close(fd);
	EXPECT_EQ(self->live + variant->ours, live_buffers());
	p = map(copy, PMD);
	ASSERT_NE(MAP_FAILED, p);
	memset(p, 0x5a, PMD);
	EXPECT_TRUE(is_filled(p, 0x5a, PMD));
	munmap(p, PMD);
	EXPECT_EQ(self->live + variant->ours, live_buffers());
	close(copy);
}

TEST_F(heap, mapping_keeps_buffer)
{
	int fd = alloc_from(self->dev, PMD + PAGE, O_RDWR);
	char *p;

	ASSERT_GE(fd, 0);
	p = map(fd, PMD + PAGE);
	ASSERT_NE(MAP_FAILED, p);
	close(fd);
	EXPECT_EQ(self->live + variant->ours, live_buffers());
	memset(p, 0x5a, PMD + PAGE);
	munmap(p, PMD);
	EXPECT_TRUE(is_filled(p + PMD, 0x5a, PAGE));
	EXPECT_EQ(self->live + variant->ours, live_buffers());
	munmap(p + PMD, PAGE);
}

/* Dies with everything open and mapped: nothing stays. */
TEST_F(heap, exit_frees)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		int fd = alloc_from(self->dev, 4 * PMD, O_RDWR);
		char *p = map(fd, 4 * PMD);

		memset(p, 1, 4 * PMD);
		raise(SIGKILL);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGKILL, WTERMSIG(status));
	EXPECT_EQ(self->live, live_buffers());
}

TEST_HARNESS_MAIN
