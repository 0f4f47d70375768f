// SPDX-License-Identifier: GPL-2.0
/*
 * Importers: what a static, a dynamic and a peer-to-peer importer get of memory
 * of every kind, and what a read-only buffer gives none of them.
 */
#include <pthread.h>

#include <linux/dma-buf.h>

#include "control.h"
#include "harness.h"

enum { BIDIRECTIONAL, TO_DEVICE, FROM_DEVICE };
enum { STATIC, DYNAMIC, P2P };

#define SIZE	(3 * PMD)

FIXTURE(import) {
	int et;
	struct et_alloc how;
};

FIXTURE_VARIANT(import) {
	unsigned int kind;
	unsigned int caching;
	unsigned int chunk;
};

FIXTURE_VARIANT_ADD(import, pages) { .kind = ET_PAGES };
FIXTURE_VARIANT_ADD(import, pages_single) { .kind = ET_PAGES, .chunk = 1 };
FIXTURE_VARIANT_ADD(import, pages_wc) { .kind = ET_PAGES, .caching = 1 };
FIXTURE_VARIANT_ADD(import, unpaged) { .kind = ET_UNPAGED };
FIXTURE_VARIANT_ADD(import, unpaged_chunks) { .kind = ET_UNPAGED, .chunk = 3 };
FIXTURE_VARIANT_ADD(import, io) { .kind = ET_IO, .caching = 2 };
FIXTURE_VARIANT_ADD(import, io_chunks) { .kind = ET_IO, .caching = 2, .chunk = 7 };

FIXTURE_SETUP(import)
{
	self->et = et_open();
	ASSERT_GE(self->et, 0);
	self->how = (struct et_alloc) {
		.size = SIZE,
		.kind = variant->kind,
		.caching = variant->caching,
		.chunk = variant->chunk,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	if (ioctl(self->et, ET_ALLOC, &self->how)) {
		if (errno == ENODEV)
			SKIP(return, "no memory of this kind in this machine");
		ASSERT_EQ(0, errno);
	}
}

FIXTURE_TEARDOWN(import)
{
	if (self->how.id) {
		ioctl(self->et, ET_FREE, self->how.id);
		close(self->how.fd);
	}
	close(self->et);
}

struct syncer {
	pthread_t thread;
	pid_t tid;
	int fd;
	int ret;
};

static int dma(int et, unsigned int id, bool write, uint64_t offset, void *data, size_t len)
{
	struct et_copy copy = {
		.id = id, .write = write, .offset = offset, .len = len,
		.user = (uintptr_t)data,
	};

	return ioctl(et, ET_DMA, &copy);
}

/* Every page of the sg_table is the page that the CPU maps there. */
static int check_dma(int et, unsigned int id, char *map)
{
	char in[8], out[8];

	for (size_t off = 0; off < SIZE; off += PAGE) {
		memcpy(out, &off, sizeof(out));
		if (dma(et, id, true, off + 16, out, sizeof(out)) ||
		    memcmp(map + off + 16, out, sizeof(out)))
			return -1;
		memset(map + off + 32, off >> 12, sizeof(in));
		if (dma(et, id, false, off + 32, in, sizeof(in)) ||
		    memcmp(map + off + 32, in, sizeof(in)))
			return -1;
	}
	return 0;
}

TEST_F(import, static_importer)
{
	struct et_import import = { .fd = self->how.fd, .dynamic = STATIC };
	char *map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, self->how.fd, 0);

	ASSERT_NE(MAP_FAILED, map);
	if (variant->kind != ET_PAGES) {
		EXPECT_EQ(-1, ioctl(self->et, ET_IMPORT, &import));
		EXPECT_EQ(EOPNOTSUPP, errno);
	} else {
		ASSERT_EQ(0, ioctl(self->et, ET_IMPORT, &import));
		EXPECT_EQ(SIZE, import.len);
		EXPECT_EQ(0, import.pages);
		EXPECT_EQ(0, check_dma(self->et, import.id, map));
		EXPECT_EQ(0, ioctl(self->et, ET_UNIMPORT, import.id));
	}
	munmap(map, SIZE);
}

TEST_F(import, dynamic_importer)
{
	struct et_import import = { .fd = self->how.fd, .dynamic = DYNAMIC };

	if (variant->kind != ET_PAGES) {
		EXPECT_EQ(-1, ioctl(self->et, ET_IMPORT, &import));
		EXPECT_EQ(EOPNOTSUPP, errno);
		return;
	}
	ASSERT_EQ(0, ioctl(self->et, ET_IMPORT, &import));
	EXPECT_EQ(SIZE, import.len);
	EXPECT_EQ(0, import.pages);
	EXPECT_EQ(0, ioctl(self->et, ET_UNIMPORT, import.id));
}

TEST_F(import, p2p_importer)
{
	struct et_import import = { .fd = self->how.fd, .dynamic = P2P };
	char *map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, self->how.fd, 0);

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, ioctl(self->et, ET_IMPORT, &import));
	EXPECT_EQ(SIZE, import.len);
	EXPECT_EQ(0, import.pages);
	if (variant->kind != ET_IO)	/* the copy here is by memremap() */
		EXPECT_EQ(0, check_dma(self->et, import.id, map));
	EXPECT_EQ(0, ioctl(self->et, ET_UNIMPORT, import.id));
	munmap(map, SIZE);
}

/* The table costs one entry an extent: no entry for each page. */
TEST_F(import, nents)
{
	struct et_import import = { .fd = self->how.fd, .dynamic = P2P };
	size_t pages = SIZE / PAGE;
	size_t chunks = variant->chunk ? (pages + variant->chunk - 1) / variant->chunk : 3;

	ASSERT_EQ(0, ioctl(self->et, ET_IMPORT, &import));
	EXPECT_LE(import.nents, chunks);
	EXPECT_EQ(0, ioctl(self->et, ET_UNIMPORT, import.id));
}

/* Live mappings of one buffer, all for writing, whatever becomes of the others' tables. */
TEST_F(import, several)
{
	struct et_import import[4];

	for (int i = 0; i < ARRAY_SIZE(import); i++) {
		import[i] = (struct et_import) { .fd = self->how.fd, .dynamic = P2P,
						 .pin = i & 1, .trim = 512,
						 .dir = i < 3 ? BIDIRECTIONAL : FROM_DEVICE };
		ASSERT_EQ(0, ioctl(self->et, ET_IMPORT, &import[i]));
		EXPECT_EQ(SIZE, import[i].len);
	}
	for (int i = ARRAY_SIZE(import) - 1; i >= 0; i--)
		EXPECT_EQ(0, ioctl(self->et, ET_UNIMPORT, import[i].id));
}

/* An importer keeps the buffer, whoever else lets go. */
TEST_F(import, outlives_fd)
{
	struct et_import import = { .fd = self->how.fd, .dynamic = P2P };
	int before = live_buffers();

	ASSERT_EQ(0, ioctl(self->et, ET_IMPORT, &import));
	close(self->how.fd);
	EXPECT_EQ(0, ioctl(self->et, ET_FREE, self->how.id));
	self->how.id = 0;
	EXPECT_EQ(before, live_buffers());
	EXPECT_EQ(0, ioctl(self->et, ET_UNIMPORT, import.id));
	EXPECT_EQ(before - 1, live_buffers());
}

TEST_F(import, vmap)
{
	struct et_copy copy = { .fd = self->how.fd, .write = 1, .len = 64 };
	char *map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, self->how.fd, 0);
	char in[64], out[64];

	ASSERT_NE(MAP_FAILED, map);
	for (size_t off = 100; off + sizeof(in) < SIZE; off += 37 * PAGE + 8) {
		memset(out, off >> 12, sizeof(out));
		copy.offset = off;
		copy.write = 1;
		copy.user = (uintptr_t)out;
		ASSERT_EQ(0, ioctl(self->et, ET_VMAP, &copy));
		ASSERT_EQ(0, memcmp(map + off, out, sizeof(out)));
		map[off] = 0x55;
		copy.write = 0;
		copy.user = (uintptr_t)in;
		ASSERT_EQ(0, ioctl(self->et, ET_VMAP, &copy));
		ASSERT_EQ(0x55, in[0]);
		ASSERT_EQ(variant->kind == ET_IO, copy.iomem);
	}
	munmap(map, SIZE);
}

/* DMA_BUF_IOCTL_SYNC reaches the driver, with and without live mappings. */
TEST_F(import, cpu_access)
{
	struct et_import import = { .fd = self->how.fd, .dynamic = P2P };
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW };
	struct et_stats before, after;

	ASSERT_EQ(0, ioctl(self->et, ET_STATS, &before));
	ASSERT_EQ(0, ioctl(self->et, ET_IMPORT, &import));
	EXPECT_EQ(0, ioctl(self->how.fd, DMA_BUF_IOCTL_SYNC, &sync));
	sync.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW;
	EXPECT_EQ(0, ioctl(self->how.fd, DMA_BUF_IOCTL_SYNC, &sync));
	EXPECT_EQ(0, ioctl(self->et, ET_UNIMPORT, import.id));
	ASSERT_EQ(0, ioctl(self->et, ET_STATS, &after));
	EXPECT_EQ(before.begins + 1, after.begins);
	EXPECT_EQ(before.ends + 1, after.ends);
}

/* The same rules through the node of an importer. */
TEST_F(import, importer_node)
{
	char *map, *direct;

	ASSERT_EQ(0, ioctl(self->et, ET_NODE_OF, self->how.fd));
	map = mmap(NULL, PMD, PROT_READ | PROT_WRITE, MAP_SHARED, self->et, PMD);
	ASSERT_NE(MAP_FAILED, map);
	direct = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, self->how.fd, 0);
	ASSERT_NE(MAP_FAILED, direct);
	poke(map, 42);
	EXPECT_EQ(42, peek(direct + PMD));
	EXPECT_EQ(1, probe(map).special);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PMD, PROT_READ, MAP_PRIVATE, self->et, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, SIZE, PROT_READ, MAP_SHARED, self->et, PMD));
	EXPECT_EQ(EINVAL, errno);
	munmap(map, PMD);
	munmap(direct, SIZE);
}

static void *sync_thread(void *arg)
{
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ };
	struct syncer *s = arg;

	__atomic_store_n(&s->tid, gettid(), __ATOMIC_SEQ_CST);
	s->ret = ioctl(s->fd, DMA_BUF_IOCTL_SYNC, &sync);
	return NULL;
}

/* The driver's caches are not touched before its device is done. */
TEST_F(import, cpu_access_waits)
{
	struct syncer s = { .fd = self->how.fd };
	struct et_stats before, during, after;

	ASSERT_EQ(0, ioctl(self->et, ET_STATS, &before));
	ASSERT_EQ(0, ioctl(self->et, ET_WRITE_FENCE, self->how.fd));
	ASSERT_EQ(0, pthread_create(&s.thread, NULL, sync_thread, &s));
	while (!__atomic_load_n(&s.tid, __ATOMIC_SEQ_CST))
		sched_yield();
	wait_asleep(getpid(), s.tid);
	ASSERT_EQ(0, ioctl(self->et, ET_STATS, &during));
	EXPECT_EQ(before.begins, during.begins);
	ASSERT_EQ(0, ioctl(self->et, ET_SIGNAL));
	pthread_join(s.thread, NULL);
	EXPECT_EQ(0, s.ret);
	ASSERT_EQ(0, ioctl(self->et, ET_STATS, &after));
	EXPECT_EQ(before.begins + 1, after.begins);
}

/* The newest buffer's line of the live table. */
static void newest_buffer(char *line, int size)
{
	FILE *f = fopen("/sys/kernel/debug/dma_buf_exporter/buffers", "re");

	while (f && fgets(line, size, f))
		;
	if (f)
		fclose(f);
}

/*
 * A file opened with O_PATH keeps the dentry, and with it the dma-buf, when the
 * dma-buf's own file is long gone: the table must not look there, where by then
 * another file may be.
 */
TEST_F(import, path_descriptor)
{
	char path[64], before[512] = "", after[512] = "";
	int others[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->how.fd);
	fd = open(path, O_PATH | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	newest_buffer(before, sizeof(before));
	close(self->how.fd);
	for (int i = 0; i < ARRAY_SIZE(others); i++)
		others[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	newest_buffer(after, sizeof(after));
	for (int i = 0; i < ARRAY_SIZE(others); i++)
		close(others[i]);
	EXPECT_STREQ(before, after);
	EXPECT_EQ(-1, ioctl(self->et, ET_EXPORT, self->how.id));
	EXPECT_EQ(EBUSY, errno);
	close(fd);
	self->how.fd = ioctl(self->et, ET_EXPORT, self->how.id);
	EXPECT_GE(self->how.fd, 0);
}

/* One buffer has one dma-buf at a time; the next may follow the last. */
TEST_F(import, export_again)
{
	EXPECT_EQ(-1, ioctl(self->et, ET_EXPORT, self->how.id));
	EXPECT_EQ(EBUSY, errno);
	close(self->how.fd);
	self->how.fd = ioctl(self->et, ET_EXPORT, self->how.id);
	EXPECT_GE(self->how.fd, 0);
}

FIXTURE(readonly) {
	int et;
	struct et_alloc how;
};

FIXTURE_VARIANT(readonly) {
	unsigned int kind;
	unsigned int chunk;
};

FIXTURE_VARIANT_ADD(readonly, pages) { ET_PAGES, 0 };
FIXTURE_VARIANT_ADD(readonly, pages_single) { ET_PAGES, 1 };
FIXTURE_VARIANT_ADD(readonly, unpaged) { ET_UNPAGED, 0 };
FIXTURE_VARIANT_ADD(readonly, unpaged_chunks) { ET_UNPAGED, 3 };

FIXTURE_SETUP(readonly)
{
	self->et = et_open();
	ASSERT_GE(self->et, 0);
	self->how = (struct et_alloc) {
		.size = SIZE, .kind = variant->kind, .chunk = variant->chunk,
		.fd_flags = O_RDONLY | O_CLOEXEC,
	};
	if (ioctl(self->et, ET_ALLOC, &self->how)) {
		if (errno == ENODEV)
			SKIP(return, "no memory of this kind in this machine");
		ASSERT_EQ(0, errno);
	}
}

FIXTURE_TEARDOWN(readonly)
{
	if (self->how.id) {
		ioctl(self->et, ET_FREE, self->how.id);
		close(self->how.fd);
	}
	close(self->et);
}

TEST_F(readonly, dma)
{
	static const unsigned int dirs[] = { BIDIRECTIONAL, FROM_DEVICE };
	struct et_import import = { .fd = self->how.fd, .dynamic = P2P, .dir = TO_DEVICE };

	ASSERT_EQ(0, ioctl(self->et, ET_IMPORT, &import));
	EXPECT_EQ(SIZE, import.len);
	EXPECT_EQ(0, ioctl(self->et, ET_UNIMPORT, import.id));
	for (int i = 0; i < ARRAY_SIZE(dirs); i++) {
		import.dir = dirs[i];
		EXPECT_EQ(-1, ioctl(self->et, ET_IMPORT, &import));
		EXPECT_EQ(EACCES, errno);
		/* A refused mapping leaves no pin behind. */
		import.pin = 1;
		EXPECT_EQ(-1, ioctl(self->et, ET_IMPORT, &import));
		EXPECT_EQ(EACCES, errno);
		import.pin = 0;
	}
}

/*
 * dma_buf_mmap() swaps the file behind the VMA for the dma-buf's, but the flags
 * come from the importer's node, which is open for writing.
 */
TEST_F(readonly, importer_node)
{
	char *map;

	ASSERT_EQ(0, ioctl(self->et, ET_NODE_OF, self->how.fd));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
				   self->et, 0));
	EXPECT_EQ(EACCES, errno);
	map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, self->et, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(0, peek(map + PMD));
	EXPECT_EQ(-1, mprotect(map, SIZE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	munmap(map, SIZE);
}

TEST_F(readonly, vmap)
{
	struct et_copy copy = { .fd = self->how.fd, .len = 8, .offset = PMD };
	char data[8];

	/* Nobody could tell an importer not to write: it gets no mapping. */
	copy.user = (uintptr_t)data;
	EXPECT_EQ(-1, ioctl(self->et, ET_VMAP, &copy));
	EXPECT_EQ(EACCES, errno);
}

static struct dma_buf_exporter_info info(int dev, int dmabuf)
{
	struct dma_buf_exporter_info info = { .size = sizeof(info), .fd = dmabuf };

	if (control_call(dev, DMA_BUF_EXPORTER_INFO, &info))
		info.attachments = ~0U;
	return info;
}

/* What the control device says of those who have attached, and of their mappings. */
TEST(counts)
{
	int et = et_open(), dev = control_open();
	struct et_alloc how = { .size = SIZE, .fd_flags = O_RDWR | O_CLOEXEC };
	struct et_import import[3];

	ASSERT_EQ(0, ioctl(et, ET_ALLOC, &how));
	EXPECT_EQ(0, info(dev, how.fd).attachments);
	EXPECT_EQ(0, info(dev, how.fd).maps);
	for (int i = 0; i < ARRAY_SIZE(import); i++) {
		import[i] = (struct et_import) { .fd = how.fd, .dynamic = i ? ET_LATE : ET_STATIC };
		ASSERT_EQ(0, ioctl(et, ET_IMPORT, &import[i]));
		EXPECT_EQ(i + 1, info(dev, how.fd).attachments);
		EXPECT_EQ(i + 1, info(dev, how.fd).maps);
	}
	ASSERT_EQ(0, ioctl(et, ET_UNMAP, import[1].id));
	EXPECT_EQ(3, info(dev, how.fd).attachments);
	EXPECT_EQ(2, info(dev, how.fd).maps);
	for (int i = 0; i < ARRAY_SIZE(import); i++)
		ASSERT_EQ(0, ioctl(et, ET_UNIMPORT, import[i].id));
	EXPECT_EQ(0, info(dev, how.fd).attachments);
	EXPECT_EQ(0, info(dev, how.fd).maps);
	ioctl(et, ET_FREE, how.id);
	close(how.fd);
	close(dev);
	close(et);
}

TEST_HARNESS_MAIN
