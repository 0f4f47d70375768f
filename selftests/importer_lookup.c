// SPDX-License-Identifier: GPL-2.0
/*
 * From an address to the dma-buf: found where one mapping of it is, and refused
 * where that cannot be said, by the example of the importer's guide.
 */
#include <xf86drm.h>
#include <xf86drmMode.h>

#include "example_importer.h"
#include "moves.h"
#include "harness.h"

#define RW	(PROT_READ | PROT_WRITE)

FIXTURE(lookup) {
	int node;
	int readonly;
	int fd;
	char *map;
};

FIXTURE_SETUP(lookup)
{
	self->node = importer_open(O_RDWR);
	ASSERT_GE(self->node, 0);
	self->readonly = importer_open(O_RDONLY);
	self->fd = pfnmap_alloc(SIZE);
	ASSERT_GE(self->fd, 0);
	/* With a page of nothing before and behind. */
	self->map = reserve(SIZE + 2 * PAGE, 0) + PAGE;
	ASSERT_EQ(self->map, mmap(self->map, SIZE, RW, MAP_SHARED | MAP_FIXED, self->fd, 0));
	for (size_t off = 0; off < SIZE; off += PAGE)
		*(uint64_t *)(self->map + off) = off + 1;
}

FIXTURE_TEARDOWN(lookup)
{
	munmap(self->map - PAGE, SIZE + 2 * PAGE);
	close(self->fd);
	close(self->readonly);
	close(self->node);
}

/* What the importer sees first, or -errno. */
static int64_t first(int node, const void *start, uint64_t length)
{
	uint64_t word;
	int ret = importer_range(node, start, length);

	if (ret)
		return ret;
	return pread(node, &word, 8, 0) == 8 ? word : -errno;
}

TEST_F(lookup, whole)
{
	uint64_t value = 77;

	ASSERT_EQ(1, first(self->node, self->map, SIZE));
	ASSERT_EQ(8, pwrite(self->node, &value, 8, SIZE - 8));
	EXPECT_EQ(77, *(uint64_t *)(self->map + SIZE - 8));
	EXPECT_EQ(0, pread(self->node, &value, 8, SIZE));
}

TEST_F(lookup, part)
{
	uint64_t word;

	ASSERT_EQ(PMD + 1, first(self->node, self->map + PMD, PAGE + 8));
	ASSERT_EQ(8, pread(self->node, &word, 8, PAGE));
	EXPECT_EQ(PMD + PAGE + 1, word);
	EXPECT_EQ(0, pread(self->node, &word, 8, PAGE + 8));
}

TEST_F(lookup, mapping_of_a_part)
{
	char *map = mmap(NULL, PMD, RW, MAP_SHARED, self->fd, PMD);

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(PMD + 3 * PAGE + 1, first(self->node, map + 3 * PAGE, PAGE));
	munmap(map, PMD);
}

TEST_F(lookup, unaligned)
{
	*(uint64_t *)(self->map + PAGE + 24) = 24;
	EXPECT_EQ(24, first(self->node, self->map + PAGE + 24, 8));
}

/* The mapping goes, the buffer stays. */
TEST_F(lookup, outlives_mapping)
{
	uint64_t word;

	ASSERT_EQ(0, importer_range(self->node, self->map, SIZE));
	munmap(self->map, SIZE);
	close(self->fd);
	ASSERT_EQ(8, pread(self->node, &word, 8, PMD));
	EXPECT_EQ(PMD + 1, word);
	self->fd = -1;
}

/* rdma-core keeps regions from children, and cuts their mappings up. */
TEST_F(lookup, pieces_of_one)
{
	ASSERT_EQ(0, madvise(self->map + PAGE, PAGE, MADV_DONTFORK));
	EXPECT_EQ(1, first(self->node, self->map, SIZE));
}

TEST_F(lookup, rights)
{
	ASSERT_EQ(0, mprotect(self->map + PAGE, PAGE, PROT_READ));
	EXPECT_EQ(-EACCES, first(self->node, self->map, SIZE));
	EXPECT_EQ(-EACCES, first(self->node, self->map + PAGE, 8));
	EXPECT_EQ(PAGE + 1, first(self->readonly, self->map + PAGE, 8));
	ASSERT_EQ(0, mprotect(self->map, SIZE, PROT_NONE));
	EXPECT_EQ(-EACCES, first(self->node, self->map, SIZE));
}

TEST_F(lookup, holes)
{
	EXPECT_EQ(-EINVAL, first(self->node, self->map - PAGE, SIZE));
	EXPECT_EQ(-EINVAL, first(self->node, self->map + PAGE, SIZE));
	munmap(self->map - PAGE, PAGE);
	EXPECT_EQ(-EINVAL, first(self->node, self->map - PAGE, SIZE));
	munmap(self->map + PAGE, PAGE);
	EXPECT_EQ(-EINVAL, first(self->node, self->map, SIZE));
	munmap(self->map + SIZE, PAGE);
	EXPECT_EQ(-EINVAL, first(self->node, self->map + 2 * PAGE, SIZE));
	EXPECT_EQ(-EINVAL, first(self->node, self->map + 2 * PAGE, SIZE - PAGE));
	EXPECT_EQ(1, first(self->node, self->map, PAGE));
}

TEST_F(lookup, others)
{
	char *at = self->map + PMD;
	int fd = pfnmap_alloc(SIZE);

	/* Another place of the same buffer, then another buffer, then none. */
	ASSERT_EQ(at, mmap(at, PMD, RW, MAP_SHARED | MAP_FIXED, self->fd, 0));
	EXPECT_EQ(-EINVAL, first(self->node, self->map, SIZE));
	ASSERT_EQ(at, mmap(at, PMD, RW, MAP_SHARED | MAP_FIXED, fd, PMD));
	EXPECT_EQ(-EINVAL, first(self->node, self->map, SIZE));
	ASSERT_EQ(at, mmap(at, PMD, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	EXPECT_EQ(-EINVAL, first(self->node, self->map, SIZE));
	EXPECT_EQ(-EINVAL, first(self->node, at + PMD - PAGE - SIZE, SIZE));
	close(fd);
}

/* Nobody's, or an address that wraps: not an affair of dma-bufs. */
TEST_F(lookup, nothing)
{
	char *map = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	EXPECT_EQ(-ENOENT, first(self->node, map, PAGE));
	EXPECT_EQ(-ENOENT, first(self->node, NULL, PAGE));
	EXPECT_EQ(-ENOENT, first(self->node, self->map, 0));
	EXPECT_EQ(-ENOENT, first(self->node, self->map, -1UL));
	munmap(map, PAGE);
}

TEST_F(lookup, foreign_heap)
{
	int fd = heap_alloc("system", PAGE, O_RDWR | O_CLOEXEC);
	char *map = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);

	ASSERT_NE(MAP_FAILED, map);
	*(uint64_t *)map = 5;
	EXPECT_EQ(5, first(self->node, map, PAGE));
	munmap(map, PAGE);

	/* There the offset of the mapping is a frame. */
	map = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);
	if (map != MAP_FAILED) {
		EXPECT_EQ(-EOPNOTSUPP, first(self->readonly, map, PAGE));
		munmap(map, PAGE);
	}
	close(fd);
}

/* A GPU's mapping of a buffer begins at an offset of the GPU. */
TEST_F(lookup, drm)
{
	int drm = drmOpen("vgem", NULL), fd;
	uint32_t handle, pitch;
	uint64_t size;
	char *map;

	if (drm < 0)
		SKIP(return, "no vgem");
	ASSERT_EQ(0, drmModeCreateDumbBuffer(drm, 64, 64, 32, 0, &handle, &pitch, &size));
	ASSERT_EQ(0, drmPrimeHandleToFD(drm, handle, DRM_CLOEXEC | DRM_RDWR, &fd));
	map = mmap(NULL, size, RW, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(-EOPNOTSUPP, first(self->node, map, PAGE));
	munmap(map, size);
	/* By descriptor there is nothing to guess. */
	EXPECT_EQ(0, importer_import(self->node, fd));
	close(fd);
	drmClose(drm);
}

TEST_HARNESS_MAIN
