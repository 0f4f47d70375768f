// SPDX-License-Identifier: GPL-2.0
/* The example of the driver author's guide does what the guide says it does. */
#include "util.h"
#include "harness.h"

#define EXAMPLE_ALLOC	_IO('X', 0)

FIXTURE(example) {
	int node;
};

FIXTURE_SETUP(example)
{
	self->node = open("/dev/example_exporter", O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->node, 0);
}

FIXTURE_TEARDOWN(example)
{
	close(self->node);
}

TEST_F(example, alloc_map_use)
{
	size_t sizes[] = { 1, PAGE, PAGE + 1, PMD, 2 * PMD };

	for (int i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t size = (sizes[i] + PAGE - 1) & ~(PAGE - 1);
		int fd = ioctl(self->node, EXAMPLE_ALLOC, sizes[i]);
		char *map;

		ASSERT_GE(fd, 0);
		EXPECT_EQ(size, lseek(fd, 0, SEEK_END));
		map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		ASSERT_NE(MAP_FAILED, map);
		close(fd);
		for (size_t off = 0; off < size; off += PAGE) {
			ASSERT_EQ(0, map[off]);
			map[off] = 1;
			ASSERT_EQ(1, probe(map + off).special);
		}
		munmap(map, size);
	}
}

TEST_F(example, bad_sizes)
{
	EXPECT_EQ(-1, ioctl(self->node, EXAMPLE_ALLOC, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, ioctl(self->node, EXAMPLE_ALLOC, 1UL << 40));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, ioctl(self->node, EXAMPLE_ALLOC, -1L));
	EXPECT_EQ(EINVAL, errno);
}

TEST_HARNESS_MAIN
