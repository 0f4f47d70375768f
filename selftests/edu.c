// SPDX-License-Identifier: GPL-2.0
/*
 * A real DMA engine as importer: the data of every kind of memory gets through
 * it, and an address that it no longer owns stops at the IOMMU.
 */
#include "edu.h"
#include "harness.h"

FIXTURE(edu) {
	int edu;
	int et;
	struct edu_stats before;
};

FIXTURE_VARIANT(edu) {
	unsigned int mode;
};

FIXTURE_VARIANT_ADD(edu, dynamic) { EDU_DYNAMIC };
FIXTURE_VARIANT_ADD(edu, library) { EDU_LIBRARY };

FIXTURE_SETUP(edu)
{
	self->edu = edu_open();
	if (self->edu < 0 && errno == ENOENT)
		SKIP(return, "no edu device in this machine");
	ASSERT_GE(self->edu, 0);
	self->et = et_open();
	ASSERT_GE(self->et, 0);
	self->before = edu_stats(self->edu);
	stay_on_cpu();
}

/* Whatever a test did: no mapping is left, and no job failed. */
FIXTURE_TEARDOWN(edu)
{
	if (self->edu < 0)
		return;
	EXPECT_TRUE(edu_left_nothing(self->edu, self->before));
	close(self->et);
}

/* The IOMMU is in the mode that the command line asked for, and translates. */
TEST_F(edu, translates)
{
	FILE *f = fopen("/proc/cmdline", "re");
	struct edu_attach how;
	char cmdline[4096];
	struct buffer b;

	ASSERT_NE(NULL, f);
	ASSERT_NE(NULL, fgets(cmdline, sizeof(cmdline), f));
	fclose(f);
	if (!strstr(cmdline, "intel_iommu=on"))
		SKIP(return, "no IOMMU on the command line");
	EXPECT_STREQ(strstr(cmdline, "iommu.strict=1") ? "DMA" : "DMA-FQ", edu_iommu());
	ASSERT_EQ(0, buffer_alloc(self->et, &b, HEAP, 0));
	poke(b.map, 1);
	how = attach(self->edu, b.fd, variant->mode, 0, BIDIRECTIONAL);
	ASSERT_NE(0, how.id);
	EXPECT_NE(probe(b.map).pfn * PAGE, how.addr);
	buffer_free(self->et, &b);
}

TEST_F(edu, refusals)
{
	struct edu_access access = { .len = EDU_MAX_ACCESS + 1 };
	struct edu_attach how;
	struct buffer b;

	ASSERT_EQ(0, buffer_alloc(self->et, &b, HEAP, 0));
	how = attach(self->edu, b.fd, EDU_STATIC, EDU_P2P, BIDIRECTIONAL);
	EXPECT_EQ(EINVAL, errno);
	how = attach(self->edu, b.fd, EDU_DYNAMIC, EDU_PIN, BIDIRECTIONAL);
	EXPECT_EQ(EINVAL, errno);
	how = attach(self->edu, b.fd, EDU_LIBRARY, 2 * EDU_PIN, BIDIRECTIONAL);
	EXPECT_EQ(EINVAL, errno);
	how = attach(self->edu, b.fd, EDU_LIBRARY + 1, 0, BIDIRECTIONAL);
	EXPECT_EQ(EINVAL, errno);
	how = attach(self->edu, self->et, variant->mode, 0, BIDIRECTIONAL);
	EXPECT_EQ(EINVAL, errno);
	how = attach(self->edu, b.fd, variant->mode, 0, BIDIRECTIONAL);
	ASSERT_NE(0, how.id);

	EXPECT_EQ(-1, copy(self->edu, how.id, 0, how.id + 1, 0, 1, 0));
	EXPECT_EQ(ENOENT, errno);
	EXPECT_EQ(-1, copy(self->edu, how.id, 0, how.id, 0, 1, 64));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, copy(self->edu, how.id, 0, how.id, SIZE, 1, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, copy(self->edu, how.id, 1, how.id, 0, SIZE, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, copy(self->edu, how.id, ~0ULL, how.id, 0, 2, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, copy(self->edu, how.id, 0, how.id, 0, 0, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, ioctl(self->edu, EDU_WRITE, &access));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, raw_dma(self->edu, how.addr, EDU_MAX_TRANSFER + 1, false));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, ioctl(self->edu, EDU_DETACH, how.id + 1));
	EXPECT_EQ(ENOENT, errno);
	buffer_free(self->et, &b);
}

/* An attachment that fails leaves nothing behind. */
TEST_F(edu, attach_fails)
{
	struct et_alloc how = {
		.size = SIZE, .flags = ET_FAIL_POPULATE, .fd_flags = O_RDWR | O_CLOEXEC,
	};
	int before = live_buffers();
	struct buffer b;

	ASSERT_EQ(0, ioctl(self->et, ET_ALLOC, &how));
	for (int mode = EDU_STATIC; mode <= EDU_LIBRARY; mode++) {
		EXPECT_EQ(0, attach(self->edu, how.fd, mode, 0, BIDIRECTIONAL).id);
		EXPECT_EQ(ENOMEM, errno);
	}
	ioctl(self->et, ET_FREE, how.id);
	close(how.fd);
	EXPECT_EQ(before, live_buffers());

	if (buffer_alloc(self->et, &b, ET_UNPAGED, 0))
		SKIP(return, "no memory without struct page in this machine");
	for (int mode = EDU_STATIC; mode <= EDU_LIBRARY; mode++) {
		EXPECT_EQ(0, attach(self->edu, b.fd, mode, 0, BIDIRECTIONAL).id);
		EXPECT_EQ(EOPNOTSUPP, errno);
	}
	buffer_free(self->et, &b);
	EXPECT_EQ(before, live_buffers());
}

TEST_F(edu, read_write)
{
	char in[5000], out[5000];
	struct edu_attach how;
	struct buffer b;

	ASSERT_EQ(0, buffer_alloc(self->et, &b, HEAP, 0));
	how = attach(self->edu, b.fd, variant->mode, 0, BIDIRECTIONAL);
	ASSERT_NE(0, how.id);
	fill(out, 1, sizeof(out));
	ASSERT_EQ(0, edu_access(self->edu, EDU_WRITE, how.id, 4091, out, sizeof(out)));
	EXPECT_TRUE(filled(b.map + 4091, 1, sizeof(out)));
	fill(b.map + 7, 2, sizeof(in));
	ASSERT_EQ(0, edu_access(self->edu, EDU_READ, how.id, 7, in, sizeof(in)));
	EXPECT_TRUE(filled(in, 2, sizeof(in)));
	/* A raw transfer at a good address works, so a bad one means something. */
	fill(out, 3, 100);
	ASSERT_EQ(0, edu_access(self->edu, EDU_LOAD, 0, 0, out, 100));
	ASSERT_EQ(0, raw_dma(self->edu, query(self->edu, how.id, 300).addr, 100, true));
	EXPECT_TRUE(filled(b.map + 300, 3, 100));
	fill(b.map + 600, 4, 100);
	ASSERT_EQ(0, raw_dma(self->edu, query(self->edu, how.id, 600).addr, 100, false));
	ASSERT_EQ(0, edu_access(self->edu, EDU_STORE, 0, 0, in, 100));
	EXPECT_TRUE(filled(in, 4, 100));
	buffer_free(self->et, &b);
}

FIXTURE(copy) {
	int edu;
	int et;
	struct buffer src;
	struct buffer dst;
};

FIXTURE_VARIANT(copy) {
	unsigned int src_kind;
	unsigned int src_chunk;
	unsigned int dst_kind;
	unsigned int dst_chunk;
	unsigned int mode;
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(copy, static) { HEAP, 0, HEAP, 0, EDU_STATIC };
FIXTURE_VARIANT_ADD(copy, dynamic) { HEAP, 0, HEAP, 0, EDU_DYNAMIC };
FIXTURE_VARIANT_ADD(copy, late) { HEAP, 0, HEAP, 0, EDU_DYNAMIC_LATE };
FIXTURE_VARIANT_ADD(copy, p2p) { HEAP, 0, HEAP, 0, EDU_DYNAMIC, EDU_P2P };
FIXTURE_VARIANT_ADD(copy, single_pages) { ET_PAGES, 1, ET_PAGES, 1, EDU_DYNAMIC };
FIXTURE_VARIANT_ADD(copy, single_pages_static) { ET_PAGES, 1, ET_PAGES, 1, EDU_STATIC };
FIXTURE_VARIANT_ADD(copy, to_unpaged) { HEAP, 0, ET_UNPAGED, 0, EDU_DYNAMIC, EDU_P2P };
FIXTURE_VARIANT_ADD(copy, to_unpaged_single) {
	ET_PAGES, 1, ET_UNPAGED, 1, EDU_DYNAMIC, EDU_P2P
};

FIXTURE_VARIANT_ADD(copy, unpaged_to_bar) { ET_UNPAGED, 3, ET_IO, 0, EDU_DYNAMIC, EDU_P2P };
FIXTURE_VARIANT_ADD(copy, bar_to_pages) { ET_IO, 1, ET_PAGES, 2, EDU_DYNAMIC_LATE, EDU_P2P };
FIXTURE_VARIANT_ADD(copy, library) { ET_PAGES, 1, HEAP, 0, EDU_LIBRARY };
FIXTURE_VARIANT_ADD(copy, library_pinned) { HEAP, 0, ET_PAGES, 3, EDU_LIBRARY, EDU_PIN };
FIXTURE_VARIANT_ADD(copy, library_p2p) { ET_UNPAGED, 3, ET_IO, 0, EDU_LIBRARY, EDU_P2P };
FIXTURE_VARIANT_ADD(copy, library_pinned_p2p) {
	ET_IO, 1, ET_UNPAGED, 0, EDU_LIBRARY, EDU_PIN | EDU_P2P
};

FIXTURE_VARIANT_ADD(copy, library_foreign) { SYSTEM, 0, SYSTEM, 0, EDU_LIBRARY };

FIXTURE_SETUP(copy)
{
	int ret;

	self->edu = edu_open();
	if (self->edu < 0 && errno == ENOENT)
		SKIP(return, "no edu device in this machine");
	ASSERT_GE(self->edu, 0);
	self->et = et_open();
	ASSERT_GE(self->et, 0);
	ret = buffer_alloc(self->et, &self->src, variant->src_kind, variant->src_chunk);
	if (!ret)
		ret = buffer_alloc(self->et, &self->dst, variant->dst_kind,
				   variant->dst_chunk);
	if (ret == -ENODEV)
		SKIP(return, "no memory of this kind in this machine");
	ASSERT_EQ(0, ret);
}

FIXTURE_TEARDOWN(copy)
{
	if (self->edu < 0)
		return;
	buffer_free(self->et, &self->src);
	buffer_free(self->et, &self->dst);
	close(self->edu);
	close(self->et);
}

TEST_F(copy, through_device)
{
	static const struct { size_t src, dst, len; } pieces[] = {
		{ 0, 0, 8 },				/* the ends */
		{ SIZE - 9, SIZE - 9, 9 },
		{ 4 * PAGE + 123, 2 * PAGE + 77, 4500 }, /* pages, not aligned */
		{ 16 * PAGE - 5, 8 * PAGE - 3, 11 },	/* from segment to segment */
		{ 3 * PAGE - 1, 16 * PAGE - 1, 3 },
	};
	struct edu_attach src, dst;

	src = attach(self->edu, self->src.fd, variant->mode, variant->flags, TO_DEVICE);
	ASSERT_NE(0, src.id);
	dst = attach(self->edu, self->dst.fd, variant->mode, variant->flags, FROM_DEVICE);
	ASSERT_NE(0, dst.id);
	for (int i = 0; i < ARRAY_SIZE(pieces); i++) {
		fill(self->src.map + pieces[i].src, i + 1, pieces[i].len);
		ASSERT_EQ(0, copy(self->edu, src.id, pieces[i].src, dst.id, pieces[i].dst,
				  pieces[i].len, 0));
	}
	for (size_t off = 0; off < SIZE; off++) {
		char want = 0;

		for (int i = 0; i < ARRAY_SIZE(pieces); i++)
			if (off - pieces[i].dst < pieces[i].len)
				want = i + 1 + (off - pieces[i].dst) % 251;
		ASSERT_EQ(want, peek(self->dst.map + off));
	}
	EXPECT_EQ(-1, copy(self->edu, dst.id, 0, dst.id, 8, 8, 0));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, copy(self->edu, src.id, 0, src.id, 8, 8, 0));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(0, ioctl(self->edu, EDU_DETACH, src.id));
	EXPECT_EQ(0, ioctl(self->edu, EDU_DETACH, dst.id));
}

/* Not even the device can write what was exported read-only. */
TEST_F(edu, readonly)
{
	struct et_alloc how = { .size = SIZE, .fd_flags = O_RDONLY | O_CLOEXEC };
	struct edu_attach from, to;
	struct faults faults;
	struct buffer b;
	char data[64];
	uint64_t addr;
	char *map;

	ASSERT_EQ(0, ioctl(self->et, ET_ALLOC, &how));
	map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, how.fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	for (int mode = EDU_STATIC; mode <= EDU_LIBRARY; mode++) {
		EXPECT_EQ(0, attach(self->edu, how.fd, mode, 0, BIDIRECTIONAL).id);
		EXPECT_EQ(EACCES, errno);
		EXPECT_EQ(0, attach(self->edu, how.fd, mode, 0, FROM_DEVICE).id);
		EXPECT_EQ(EACCES, errno);
	}
	from = attach(self->edu, how.fd, variant->mode, 0, TO_DEVICE);
	ASSERT_NE(0, from.id);
	ASSERT_EQ(0, buffer_alloc(self->et, &b, HEAP, 0));
	fill(b.map, 1, SIZE);
	to = attach(self->edu, b.fd, variant->mode, 0, FROM_DEVICE);
	ASSERT_NE(0, to.id);
	EXPECT_EQ(-1, copy(self->edu, to.id, 0, from.id, 0, 64, 0));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(0, copy(self->edu, from.id, 0, to.id, 0, 64, 0));
	EXPECT_TRUE(!memcmp(b.map, map, 64));
	EXPECT_TRUE(filled(b.map + 64, 1 + 64, 100));
	/* At a page that the IOMMU has not in its cache: it would tell of no fault. */
	if (edu_translated()) {
		memset(data, 0x55, sizeof(data));
		ASSERT_EQ(0, edu_access(self->edu, EDU_LOAD, 0, 0, data, sizeof(data)));
		addr = query(self->edu, from.id, 5 * PAGE).addr;
		faults = faults_begin();
		ASSERT_EQ(0, raw_dma(self->edu, addr, sizeof(data), true));
		EXPECT_EQ(0, peek(map + 5 * PAGE));
		EXPECT_TRUE(faults_end(&faults, addr, true));
		ASSERT_EQ(0, raw_dma(self->edu, from.addr, sizeof(data), true));
		EXPECT_EQ(0, peek(map));
	}
	buffer_free(self->et, &b);
	munmap(map, SIZE);
	ioctl(self->et, ET_FREE, how.id);
	close(how.fd);
}

FIXTURE(detach) {
	int edu;
	int et;
	struct buffer b;
};

FIXTURE_VARIANT(detach) {
	unsigned int kind;
	unsigned int mode;
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(detach, static) { HEAP, EDU_STATIC };
FIXTURE_VARIANT_ADD(detach, dynamic) { HEAP, EDU_DYNAMIC };
FIXTURE_VARIANT_ADD(detach, late) { HEAP, EDU_DYNAMIC_LATE };
FIXTURE_VARIANT_ADD(detach, unpaged) { ET_UNPAGED, EDU_DYNAMIC, EDU_P2P };
FIXTURE_VARIANT_ADD(detach, bar) { ET_IO, EDU_DYNAMIC, EDU_P2P };
FIXTURE_VARIANT_ADD(detach, library) { HEAP, EDU_LIBRARY };
FIXTURE_VARIANT_ADD(detach, library_pinned) { ET_PAGES, EDU_LIBRARY, EDU_PIN };
FIXTURE_VARIANT_ADD(detach, library_unpaged) { ET_UNPAGED, EDU_LIBRARY, EDU_P2P };

FIXTURE_SETUP(detach)
{
	int ret;

	self->edu = edu_open();
	if (self->edu < 0 && errno == ENOENT)
		SKIP(return, "no edu device in this machine");
	ASSERT_GE(self->edu, 0);
	if (!edu_translated())
		SKIP(return, "no IOMMU translates for the device");
	self->et = et_open();
	ASSERT_GE(self->et, 0);
	ret = buffer_alloc(self->et, &self->b, variant->kind, 0);
	if (ret == -ENODEV)
		SKIP(return, "no memory of this kind in this machine");
	ASSERT_EQ(0, ret);
	stay_on_cpu();
}

FIXTURE_TEARDOWN(detach)
{
	buffer_free(self->et, &self->b);
	close(self->edu);
	close(self->et);
}

/*
 * After the detach the device cannot write the buffer any more. The address was
 * used before, and so it is in the IOMMU's own cache.
 */
TEST_F(detach, write)
{
	struct edu_attach how;
	struct faults faults;
	char data[64];

	how = attach(self->edu, self->b.fd, variant->mode, variant->flags, BIDIRECTIONAL);
	ASSERT_NE(0, how.id);
	memset(data, 0x11, sizeof(data));
	ASSERT_EQ(0, edu_access(self->edu, EDU_LOAD, 0, 0, data, sizeof(data)));
	ASSERT_EQ(0, raw_dma(self->edu, how.addr, sizeof(data), true));
	ASSERT_EQ(0x11, peek(self->b.map));
	memset(data, 0x55, sizeof(data));
	ASSERT_EQ(0, edu_access(self->edu, EDU_LOAD, 0, 0, data, sizeof(data)));
	faults = faults_begin();
	ASSERT_EQ(0, ioctl(self->edu, EDU_DETACH, how.id));
	ASSERT_EQ(0, raw_dma(self->edu, how.addr, sizeof(data), true));
	EXPECT_EQ(0x11, peek(self->b.map));
	EXPECT_TRUE(faults_end(&faults, how.addr, true));
}

/* Nor read it. */
TEST_F(detach, read)
{
	struct edu_attach how;
	struct faults faults;
	char data[64];

	how = attach(self->edu, self->b.fd, variant->mode, variant->flags, BIDIRECTIONAL);
	ASSERT_NE(0, how.id);
	fill(self->b.map, 0x33, sizeof(data));
	ASSERT_EQ(0, raw_dma(self->edu, how.addr, sizeof(data), false));
	memset(data, 0, sizeof(data));
	ASSERT_EQ(0, edu_access(self->edu, EDU_STORE, 0, 0, data, sizeof(data)));
	ASSERT_TRUE(filled(data, 0x33, sizeof(data)));
	fill(self->b.map, 0x44, sizeof(data));
	faults = faults_begin();
	ASSERT_EQ(0, ioctl(self->edu, EDU_DETACH, how.id));
	ASSERT_EQ(0, raw_dma(self->edu, how.addr, sizeof(data), false));
	ASSERT_EQ(0, edu_access(self->edu, EDU_STORE, 0, 0, data, sizeof(data)));
	EXPECT_FALSE(filled(data, 0x44, sizeof(data)));
	EXPECT_TRUE(faults_end(&faults, how.addr, false));
}

TEST_HARNESS_MAIN
