// SPDX-License-Identifier: GPL-2.0
/*
 * A buffer of one TiB, which is described and never touched: what the library does
 * for a buffer depends on its pieces, not on its pages.
 */
#include "control.h"
#include "moves.h"
#include "harness.h"

#define TIB		(1024ULL * 1024 * 1024 * 1024)
#define PIN_LIMIT	"/sys/module/dma_buf_exporter/parameters/pin_limit_mib"

FIXTURE(sparse) {
	int et;
	struct et_alloc how;
	char *map;
};

FIXTURE_VARIANT(sparse) {
	unsigned int chunk;	/* pages */
	unsigned int extents;
};

FIXTURE_VARIANT_ADD(sparse, whole) { .extents = 1 };
FIXTURE_VARIANT_ADD(sparse, large_pieces) { .chunk = 32 * PMD / PAGE, .extents = TIB / (32 * PMD) };

FIXTURE_SETUP(sparse)
{
	self->et = et_open();
	ASSERT_GE(self->et, 0);
	self->how = (struct et_alloc) {
		.size = TIB, .kind = ET_SPARSE, .chunk = variant->chunk,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	ASSERT_EQ(0, ioctl(self->et, ET_ALLOC, &self->how));
	self->map = mmap(NULL, TIB, PROT_READ | PROT_WRITE, MAP_SHARED, self->how.fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
}

FIXTURE_TEARDOWN(sparse)
{
	munmap(self->map, TIB);
	ioctl(self->et, ET_FREE, self->how.id);
	close(self->how.fd);
	close(self->et);
}

TEST_F(sparse, described)
{
	struct dma_buf_exporter_info info = { .size = sizeof(info), .fd = self->how.fd };
	int dev = control_open();

	ASSERT_EQ(0, control_call(dev, DMA_BUF_EXPORTER_INFO, &info));
	close(dev);
	EXPECT_EQ(TIB, info.length);
	EXPECT_EQ(variant->extents, info.extents);
	EXPECT_EQ(TIB / variant->extents, info.largest_extent);
	EXPECT_EQ(1, info.mappings);
	EXPECT_EQ(0, info.pmd_faults + info.pte_faults);
}

/* More than a segment of a table can hold, and all of it. */
TEST_F(sparse, imported)
{
	struct et_import import = { .fd = self->how.fd, .dynamic = ET_P2P };

	/* Without DMABUF_MOVE_NOTIFY the core pins what it maps. */
	write_file(PIN_LIMIT, "%llu", 2 * TIB >> 20);
	EXPECT_EQ(0, ioctl(self->et, ET_IMPORT, &import));
	write_file(PIN_LIMIT, "0");	/* the default again */
	ASSERT_NE(0, import.id);
	EXPECT_EQ(TIB, import.len);
	EXPECT_EQ(0, import.pages);
	EXPECT_LE(variant->extents, import.nents);
	EXPECT_LT(TIB / UINT32_MAX, import.nents);
	EXPECT_EQ(0, ioctl(self->et, ET_UNIMPORT, import.id));
}

/* Mappings come and go, whole and in part, here and in a child. */
TEST_F(sparse, mapped)
{
	int status;
	pid_t pid;

	ASSERT_EQ(0, munmap(self->map + TIB / 4, TIB / 4));
	ASSERT_EQ(self->map, mremap(self->map, TIB / 4, TIB / 8, 0));
	ASSERT_EQ(0, mprotect(self->map + TIB / 2, TIB / 2, PROT_READ));
	pid = fork();
	if (!pid)
		_exit(0);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(PFNMAP_PROBE_NONE, probe(self->map).level);
	EXPECT_EQ(PFNMAP_PROBE_NONE, probe(self->map + TIB - PAGE).level);
}

/* Its memory is handed back, and no address of the mapping leads anywhere. */
TEST_F(sparse, revoked)
{
	struct et_move move = { .id = self->how.id, .timeout_ms = ET_FOREVER };

	ASSERT_EQ(0, ioctl(self->et, ET_REVOKE, &move));
	EXPECT_EQ(SIGBUS, signal_of_touch(self->map));
	EXPECT_EQ(SIGBUS, signal_of_touch(self->map + TIB / 2));
	EXPECT_EQ(SIGBUS, signal_of_touch(self->map + TIB - PAGE));
}

TEST_HARNESS_MAIN
