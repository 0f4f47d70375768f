// SPDX-License-Identifier: GPL-2.0
/*
 * The importer library, by the example of its guide: memory of every kind is read
 * and written wherever it is, moves with an importer attached, and is refused to who
 * has no right to it.
 */
#include <pthread.h>

#include "control.h"
#include "example_importer.h"
#include "moves.h"
#include "harness.h"

static const char * const places[] = { "system", "carve", "vram" };

#define PLACES	ARRAY_SIZE(places)

FIXTURE(importer) {
	int dev;
	int node;
	struct controlled buf;
	char *map;
};

FIXTURE_SETUP(importer)
{
	self->dev = control_open();
	ASSERT_GE(self->dev, 0);
	self->node = importer_open(O_RDWR);
	ASSERT_GE(self->node, 0);
	ASSERT_EQ(0, control_alloc(self->dev, "pfnmap", NULL, SIZE, &self->buf));
	self->map = buffer_map(self->buf.fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
}

FIXTURE_TEARDOWN(importer)
{
	munmap(self->map, SIZE);
	close(self->node);
	control_free(&self->buf);
	close(self->dev);
}

/* 0 when what is written one way is read the other way, at the ends and across pages. */
static int same(int node, char *map, unsigned int seed)
{
	uint64_t offsets[] = { 0, PAGE - 8, PMD - 8, PMD, SIZE - 8 }, word;

	for (int i = 0; i < ARRAY_SIZE(offsets); i++) {
		uint64_t value = (offsets[i] + 1) * 0x9e3779b97f4a7c15ULL + seed;

		if (pwrite(node, &value, 8, offsets[i]) != 8)
			return -errno;
		memcpy(&word, map + offsets[i], 8);
		if (word != value)
			return 1;
		value = ~value;
		memcpy(map + offsets[i], &value, 8);
		if (pread(node, &word, 8, offsets[i]) != 8)
			return -errno;
		if (word != value)
			return 2;
	}
	return 0;
}

TEST_F(importer, read_write)
{
	ASSERT_EQ(0, importer_import(self->node, self->buf.fd));
	EXPECT_EQ(0, same(self->node, self->map, 1));
	EXPECT_EQ(-EBUSY, importer_import(self->node, self->buf.fd));
}

/* Nothing happens until somebody wants the memory. */
TEST_F(importer, on_demand)
{
	struct dma_buf_exporter_info info;
	uint64_t word;

	ASSERT_EQ(0, importer_import(self->node, self->buf.fd));
	ASSERT_EQ(0, control_info(self->buf.control, &info));
	EXPECT_EQ(1, info.attachments);
	EXPECT_EQ(0, info.pins);
	EXPECT_EQ(0, info.vmaps);
	ASSERT_EQ(8, pread(self->node, &word, 8, 0));
	ASSERT_EQ(0, control_info(self->buf.control, &info));
	EXPECT_EQ(1, info.vmaps);
	EXPECT_EQ(0, info.pins);
	EXPECT_EQ(0, info.maps);
}

/* To every kind of memory from every other one. */
TEST_F(importer, moves)
{
	struct dma_buf_exporter_info info;

	ASSERT_EQ(0, importer_import(self->node, self->buf.fd));
	for (int from = 0; from < PLACES; from++) {
		for (int to = 0; to < PLACES; to++) {
			int ret = control_move(self->buf.control, places[from],
					       DMA_BUF_EXPORTER_BLOCK, 0);

			EXPECT_TRUE(!ret || ret == -EALREADY);
			EXPECT_EQ(0, same(self->node, self->map, from));
			ret = control_move(self->buf.control, places[to],
					   DMA_BUF_EXPORTER_BLOCK, 0);
			EXPECT_TRUE(!ret || ret == -EALREADY);
			ASSERT_EQ(0, control_info(self->buf.control, &info));
			EXPECT_STREQ(places[to], info.placement);
			EXPECT_EQ(0, same(self->node, self->map, to));
		}
	}
}

TEST_F(importer, several)
{
	int nodes[8];

	for (int i = 0; i < ARRAY_SIZE(nodes); i++) {
		nodes[i] = importer_open(O_RDWR);
		ASSERT_EQ(0, importer_import(nodes[i], self->buf.fd));
	}
	for (int i = 0; i < ARRAY_SIZE(nodes); i++) {
		EXPECT_EQ(0, same(nodes[i], self->map, i));
		EXPECT_EQ(0, control_move(self->buf.control, places[!(i & 1)],
					  DMA_BUF_EXPORTER_BLOCK, 0));
		EXPECT_EQ(0, same(nodes[i], self->map, ~i));
		close(nodes[i]);
		for (int j = i + 1; j < ARRAY_SIZE(nodes); j++)
			EXPECT_EQ(0, same(nodes[j], self->map, j));
	}
}

TEST_F(importer, refused)
{
	int pipes[2], node = importer_open(O_RDONLY), readonly;
	uint64_t word = 0;

	EXPECT_EQ(-EBADF, importer_import(self->node, -1));
	ASSERT_EQ(0, pipe(pipes));
	EXPECT_EQ(-EINVAL, importer_import(self->node, pipes[0]));
	close(pipes[0]);
	close(pipes[1]);

	/* No kernel mapping is for reading only. */
	readonly = heap_alloc("pfnmap", SIZE, O_RDONLY | O_CLOEXEC);
	ASSERT_GE(readonly, 0);
	EXPECT_EQ(-EACCES, importer_import(self->node, readonly));
	EXPECT_EQ(-EACCES, importer_import(node, readonly));
	close(readonly);

	EXPECT_EQ(0, importer_import(node, self->buf.fd));
	EXPECT_EQ(8, pread(node, &word, 8, 0));
	EXPECT_EQ(-1, pwrite(node, &word, 8, 0));
	EXPECT_EQ(EBADF, errno);
	close(node);
}

/* From here on the kernel warns again of each exporter that refuses a vmap. */
static int vmap_warnings_begin(void)
{
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	lseek(log, 0, SEEK_END);
	return write_file("/sys/kernel/debug/clear_warn_once", "1") ? -1 : log;
}

/* Has it warned? scan-log lets that pass, because others cannot avoid it. */
static bool vmap_warnings_end(int log)
{
	bool warned = false;
	char line[8192];
	ssize_t n;

	while ((n = read(log, line, sizeof(line) - 1)) > 0) {
		line[n] = 0;
		warned |= !!strstr(line, "dma_buf_vmap");
	}
	close(log);
	return warned;
}

TEST_F(importer, revoked)
{
	int node = importer_open(O_RDWR), log = vmap_warnings_begin();
	uint64_t word;

	ASSERT_EQ(0, importer_import(self->node, self->buf.fd));
	ASSERT_EQ(0, importer_import(node, self->buf.fd));
	ASSERT_EQ(0, same(self->node, self->map, 0));
	ASSERT_EQ(0, control_revoke(self->buf.control));
	/* One that had it mapped, one that never had, one that is late. */
	EXPECT_EQ(-1, pread(self->node, &word, 8, 0));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(-1, pwrite(self->node, &word, 8, 0));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(-1, pread(node, &word, 8, 0));
	EXPECT_EQ(ENODEV, errno);
	close(node);
	node = importer_open(O_RDWR);
	EXPECT_EQ(-ENODEV, importer_import(node, self->buf.fd));
	close(node);
	ASSERT_GE(log, 0);
	EXPECT_FALSE(vmap_warnings_end(log));
}

/* Its exporter never moves it: the kernel's own heap. */
TEST_F(importer, foreign)
{
	int fd = heap_alloc("system", SIZE, O_RDWR | O_CLOEXEC);
	char *map;

	ASSERT_GE(fd, 0);
	map = buffer_map(fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, importer_import(self->node, fd));
	EXPECT_EQ(0, same(self->node, map, 3));
	munmap(map, SIZE);
	close(fd);
}

FIXTURE(suspended) {
	int et;
	int node;
	struct et_alloc how;
	char *map;
};

FIXTURE_SETUP(suspended)
{
	self->et = et_open();
	ASSERT_GE(self->et, 0);
	self->node = importer_open(O_RDWR);
	ASSERT_EQ(0, buffer_alloc(self->et, &self->how, ET_PAGES, 0, 0));
	self->map = buffer_map(self->how.fd, 0);
	ASSERT_EQ(0, importer_import(self->node, self->how.fd));
}

FIXTURE_TEARDOWN(suspended)
{
	munmap(self->map, SIZE);
	close(self->node);
	ioctl(self->et, ET_FREE, self->how.id);
	close(self->how.fd);
	close(self->et);
}

/* Who waits too long is told to come back, and finds the memory when it may. */
TEST_F(suspended, come_back)
{
	struct et_move suspend = {
		.id = self->how.id, .flags = ET_REVOKE_SUSPEND, .timeout_ms = ET_FOREVER,
	};
	int log = vmap_warnings_begin();
	uint64_t word;

	for (int mapped = 0; mapped < 2; mapped++) {
		ASSERT_EQ(0, ioctl(self->et, ET_REVOKE, &suspend));
		EXPECT_EQ(-1, pread(self->node, &word, 8, 0));
		EXPECT_EQ(EAGAIN, errno);
		ASSERT_EQ(0, ioctl(self->et, ET_RESUME, self->how.id));
		EXPECT_EQ(0, same(self->node, self->map, mapped));
	}
	ASSERT_GE(log, 0);
	EXPECT_FALSE(vmap_warnings_end(log));
}

/* Memory that the kernel's own devices are at work on is out of reach, mapped or not. */
TEST_F(suspended, kernel_fence)
{
	uint64_t word;

	for (int mapped = 0; mapped < 2; mapped++) {
		ASSERT_EQ(0, ioctl(self->et, ET_FENCE, self->how.fd));
		EXPECT_EQ(-1, pread(self->node, &word, 8, 0));
		EXPECT_EQ(EAGAIN, errno);
		ASSERT_EQ(0, ioctl(self->et, ET_SIGNAL));
		EXPECT_EQ(0, same(self->node, self->map, mapped));
	}
}

struct mover {
	int control;
	bool stop;
	unsigned int moves;
	int error;
};

static void *move_on(void *arg)
{
	struct mover *m = arg;

	while (!__atomic_load_n(&m->stop, __ATOMIC_RELAXED) && !m->error) {
		int ret = control_move(m->control, places[m->moves % PLACES],
				       DMA_BUF_EXPORTER_WAIT, 0);

		if (ret && ret != -EALREADY)
			m->error = ret;
		else
			__atomic_add_fetch(&m->moves, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

#define MOVES	60

/* Every word that was written is there, however often the buffer has moved. */
TEST_F(importer, moves_meanwhile)
{
	struct mover m = { .control = self->buf.control };
	uint64_t word, i = 0;
	pthread_t thread;
	ssize_t n;

	ASSERT_EQ(0, importer_import(self->node, self->buf.fd));
	ASSERT_EQ(0, pthread_create(&thread, NULL, move_on, &m));
	while (__atomic_load_n(&m.moves, __ATOMIC_RELAXED) < MOVES && !m.error) {
		uint64_t offset = i * 4104 % SIZE & ~7ULL, value = ++i;

		do
			n = pwrite(self->node, &value, 8, offset);
		while (n < 0 && errno == EAGAIN);
		ASSERT_EQ(8, n);
		memcpy(&word, self->map + offset, 8);
		ASSERT_EQ(value, word);
		do
			n = pread(self->node, &word, 8, offset);
		while (n < 0 && errno == EAGAIN);
		ASSERT_EQ(8, n);
		ASSERT_EQ(value, word);
	}
	__atomic_store_n(&m.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, m.error);
}

TEST_HARNESS_MAIN
