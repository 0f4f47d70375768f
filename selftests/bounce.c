// SPDX-License-Identifier: GPL-2.0
/*
 * Importers whose device does not see the buffer's memory: with swiotlb=force it
 * works on a copy, and what the exporter forgets to synchronise does not arrive.
 */
#include <linux/dma-buf.h>

#include "util.h"
#include "harness.h"

#define SIZE	(PMD + 3 * PAGE)
#define SLOTS	"/sys/kernel/debug/swiotlb/io_tlb_used"

FIXTURE(bounce) {
	int et;
	long slots;
	char *map;
	struct et_alloc how;
	struct et_import import;
};

FIXTURE_VARIANT(bounce) {
	unsigned int dynamic;
	unsigned int chunk;
};

FIXTURE_VARIANT_ADD(bounce, static_importer) { 0, 0 };
FIXTURE_VARIANT_ADD(bounce, p2p_importer) { 2, 0 };
FIXTURE_VARIANT_ADD(bounce, single) { 0, 1 };

/* Pieces of the copies that are in use, in the whole machine. */
static long slots_used(void)
{
	FILE *f = fopen(SLOTS, "re");
	long n = -1;

	if (f && fscanf(f, "%ld", &n) != 1)
		n = -1;
	if (f)
		fclose(f);
	return n;
}

FIXTURE_SETUP(bounce)
{
	self->et = et_open();
	ASSERT_GE(self->et, 0);
	self->how = (struct et_alloc) { .size = SIZE, .chunk = variant->chunk,
					.fd_flags = O_RDWR | O_CLOEXEC };
	ASSERT_EQ(0, ioctl(self->et, ET_ALLOC, &self->how));
	self->map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, self->how.fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	self->slots = slots_used();
	self->import = (struct et_import) { .fd = self->how.fd, .dynamic = variant->dynamic };
	ASSERT_EQ(0, ioctl(self->et, ET_IMPORT, &self->import));
	ASSERT_GT(slots_used(), self->slots);
}

FIXTURE_TEARDOWN(bounce)
{
	if (self->import.id)
		ioctl(self->et, ET_UNIMPORT, self->import.id);
	EXPECT_EQ(self->slots, slots_used());
	munmap(self->map, SIZE);
	ioctl(self->et, ET_FREE, self->how.id);
	close(self->how.fd);
	close(self->et);
}

static int dma(struct _test_data_bounce *self, bool write, uint64_t offset, char *byte)
{
	struct et_copy copy = {
		.id = self->import.id, .write = write, .offset = offset, .len = 1,
		.user = (uintptr_t)byte,
	};

	return ioctl(self->et, ET_DMA, &copy);
}

static int device_writes(struct _test_data_bounce *self, char value)
{
	for (size_t off = 0; off < SIZE; off += PAGE)
		if (dma(self, true, off, &value))
			return -1;
	return 0;
}

static int cpu_access(struct _test_data_bounce *self, unsigned int flags)
{
	struct dma_buf_sync sync = { .flags = flags };

	return ioctl(self->how.fd, DMA_BUF_IOCTL_SYNC, &sync);
}

TEST_F(bounce, begin_cpu_access)
{
	ASSERT_EQ(0, device_writes(self, 7));
	ASSERT_EQ(0, peek(self->map));
	ASSERT_EQ(0, cpu_access(self, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ));
	for (size_t off = 0; off < SIZE; off += PAGE)
		ASSERT_EQ(7, peek(self->map + off));
	EXPECT_EQ(0, cpu_access(self, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ));
}

TEST_F(bounce, end_cpu_access)
{
	char seen = 0;

	ASSERT_EQ(0, cpu_access(self, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE));
	for (size_t off = 0; off < SIZE; off += PAGE)
		poke(self->map + off, 8);
	ASSERT_EQ(0, dma(self, false, 0, &seen));
	ASSERT_EQ(0, seen);
	ASSERT_EQ(0, cpu_access(self, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE));
	for (size_t off = 0; off < SIZE; off += PAGE) {
		ASSERT_EQ(0, dma(self, false, off, &seen));
		ASSERT_EQ(8, seen);
	}
}

/* The beginning of a mapping does, in either direction of the device. */
TEST_F(bounce, map)
{
	struct et_import import = { .fd = self->how.fd, .dynamic = variant->dynamic };
	char seen = 0;

	ASSERT_EQ(0, ioctl(self->et, ET_UNIMPORT, self->import.id));
	self->import.id = 0;
	for (int dir = 0; dir < 3; dir++) {
		for (size_t off = 0; off < SIZE; off += PAGE)
			poke(self->map + off, 20 + dir);
		import.dir = dir;
		ASSERT_EQ(0, ioctl(self->et, ET_IMPORT, &import));
		self->import = import;
		for (size_t off = 0; off < SIZE; off += PAGE) {
			ASSERT_EQ(0, dma(self, false, off, &seen));
			ASSERT_EQ(20 + dir, seen);
		}
		ASSERT_EQ(0, ioctl(self->et, ET_UNIMPORT, import.id));
		self->import.id = 0;
	}
}

/* What the device was not to write does not come back. */
TEST_F(bounce, unmap_read_only)
{
	struct et_import import = { .fd = self->how.fd, .dynamic = 2, .dir = 1 };

	ASSERT_EQ(0, ioctl(self->et, ET_UNIMPORT, self->import.id));
	ASSERT_EQ(0, ioctl(self->et, ET_IMPORT, &import));
	self->import = import;
	ASSERT_EQ(0, device_writes(self, 9));
	ASSERT_EQ(0, ioctl(self->et, ET_UNIMPORT, import.id));
	self->import.id = 0;
	for (size_t off = 0; off < SIZE; off += PAGE)
		ASSERT_EQ(0, peek(self->map + off));
}

/* The end of a mapping synchronises, and gives the copy back. */
TEST_F(bounce, unmap)
{
	ASSERT_EQ(0, device_writes(self, 9));
	ASSERT_EQ(0, ioctl(self->et, ET_UNIMPORT, self->import.id));
	self->import.id = 0;
	for (size_t off = 0; off < SIZE; off += PAGE)
		ASSERT_EQ(9, peek(self->map + off));
	EXPECT_EQ(self->slots, slots_used());
}

/* All of the copy, though the importer's table no longer names its beginning. */
TEST_F(bounce, unmap_trimmed)
{
	struct et_import import = { .fd = self->how.fd, .dynamic = variant->dynamic,
				    .trim = 2048 };
	long before = slots_used();

	ASSERT_EQ(0, ioctl(self->et, ET_IMPORT, &import));
	EXPECT_EQ(0, ioctl(self->et, ET_UNIMPORT, import.id));
	EXPECT_EQ(before, slots_used());
}

TEST_HARNESS_MAIN
