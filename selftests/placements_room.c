// SPDX-License-Identifier: GPL-2.0
/*
 * Room at the heaps' placements: buffers get into fewer pieces, into the pieces
 * there are, and leave nothing behind where there is no room.
 */
#include <pthread.h>

#include "placements.h"
#include "harness.h"

FIXTURE(room) {
	int dev;
	int live;
	struct controlled buf;
	char *map;
	size_t size;
};

FIXTURE_SETUP(room)
{
	self->dev = control_open();
	ASSERT_GE(self->dev, 0);
	self->live = live_buffers();
	self->size = 6 * PMD;
}

FIXTURE_TEARDOWN(room)
{
	EXPECT_EQ(self->live, live_buffers());
	EXPECT_EQ(0, write_file(MAX_ORDER, "%d", PMD_ORDER));
	close(self->dev);
}

/* A thread that reads what it wrote last and writes something else. */
struct writer {
	char *map;
	size_t size;
	unsigned int rounds;
	unsigned int lost;
	bool stop;
};

static void *write_on(void *arg)
{
	struct writer *w = arg;

	while (!__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE)) {
		for (size_t off = 0; off < w->size; off += PAGE) {
			if (get(w->map, off) != word(off, w->rounds))
				w->lost++;
			put(w->map, off, word(off, w->rounds + 1));
		}
		__atomic_store_n(&w->rounds, w->rounds + 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void wait_rounds(struct writer *w, unsigned int n)
{
	unsigned int until = __atomic_load_n(&w->rounds, __ATOMIC_ACQUIRE) + n;

	while ((int)(until - __atomic_load_n(&w->rounds, __ATOMIC_ACQUIRE)) > 0)
		sched_yield();
}

/* Single pages become blocks that a PMD maps, under a thread that goes on. */
TEST_F_TIMEOUT(room, compact, 480)
{
	struct dma_buf_exporter_info info;
	long pool = read_number(POOL_MIB, NULL);
	struct writer w = { .size = self->size };
	pthread_t thread;

	ASSERT_EQ(0, write_file(MAX_ORDER, "0"));
	ASSERT_EQ(0, write_file(POOL_MIB, "0"));
	ASSERT_EQ(0, control_alloc(self->dev, "pfnmap", NULL, self->size, &self->buf));
	ASSERT_EQ(0, control_info(self->buf.control, &info));
	TH_LOG("%u extents", info.extents);
	EXPECT_GT(info.extents, self->size / PAGE / 4);

	w.map = map_aligned(self->buf.fd, self->size);
	ASSERT_NE(MAP_FAILED, w.map);
	fill(w.map, self->size, 0);
	EXPECT_EQ(PFNMAP_PROBE_PTE, probe(w.map).level);
	ASSERT_EQ(0, pthread_create(&thread, NULL, write_on, &w));
	wait_rounds(&w, 2);

	ASSERT_EQ(0, write_file(MAX_ORDER, "%d", PMD_ORDER));
	EXPECT_EQ(0, control_compact(self->buf.control));
	wait_rounds(&w, 2);
	__atomic_store_n(&w.stop, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);

	EXPECT_EQ(0, w.lost);
	for (size_t off = 0; off < self->size; off += PAGE)
		ASSERT_EQ(word(off, w.rounds), get(w.map, off));
	ASSERT_EQ(0, control_info(self->buf.control, &info));
	TH_LOG("%u extents, %u rounds", info.extents, w.rounds);
	EXPECT_STREQ("system", info.placement);
	EXPECT_LE(info.extents, self->size / PMD);
	EXPECT_GE(info.largest_extent, PMD);
	EXPECT_EQ(1, info.moves);

	/* A mapping that has page tables keeps them; a new one has none. */
	self->map = map_aligned(self->buf.fd, self->size);
	ASSERT_NE(MAP_FAILED, self->map);
	for (size_t off = 0; off < self->size; off += PMD) {
		struct pfnmap_probe p, old = probe(w.map + off);

		EXPECT_EQ(word(off, w.rounds), get(self->map, off));
		p = probe(self->map + off);
		EXPECT_EQ(PFNMAP_PROBE_HUGE, p.level);
		EXPECT_EQ(1, p.special);
		EXPECT_EQ(1, old.special);
		EXPECT_EQ(p.pfn, old.pfn);
	}
	munmap(self->map, self->size);
	munmap(w.map, self->size);
	control_free(&self->buf);
	EXPECT_EQ(0, write_file(POOL_MIB, "%ld", pool));
}

#define BLOCKS	(CARVE_SIZE / PMD)

/* One piece it is already. */
TEST_F(room, compact_gains_nothing)
{
	static const char * const places[] = { "system", "carve", "vram" };
	struct dma_buf_exporter_info info;

	for (int i = 0; i < ARRAY_SIZE(places); i++) {
		ASSERT_EQ(0, control_alloc(self->dev, "pfnmap", places[i], PAGE, &self->buf));
		EXPECT_EQ(-EALREADY, control_compact(self->buf.control));
		ASSERT_EQ(0, control_info(self->buf.control, &info));
		EXPECT_EQ(0, info.moves);
		EXPECT_STREQ(places[i], info.placement);
		control_free(&self->buf);
	}
	EXPECT_TRUE(carve_is_free(self->dev));
}

TEST_F_TIMEOUT(room, no_room, 480)
{
	struct controlled most, more;
	struct dma_buf_exporter_info info;

	EXPECT_EQ(-ENOSPC, control_alloc(self->dev, "pfnmap", "carve", CARVE_SIZE + PAGE,
					 &most));
	EXPECT_EQ(-ENOSPC, control_alloc(self->dev, "pfnmap-carve", NULL, 1ULL << 62, &most));
	ASSERT_EQ(0, control_alloc(self->dev, "pfnmap", "carve", CARVE_SIZE - 8 * PMD, &most));
	EXPECT_EQ(-ENOSPC, control_alloc(self->dev, "pfnmap", "carve", 8 * PMD + PAGE, &more));
	EXPECT_EQ(-1, heap_alloc("pfnmap-carve", 8 * PMD + PAGE, O_RDWR));
	EXPECT_EQ(ENOSPC, errno);

	/* A buffer that does not fit stays, and what does fit is still there. */
	ASSERT_EQ(0, control_alloc(self->dev, "pfnmap", NULL, 9 * PMD, &more));
	EXPECT_EQ(-ENOSPC, control_move(more.control, "carve", DMA_BUF_EXPORTER_WAIT, 0));
	ASSERT_EQ(0, control_info(more.control, &info));
	EXPECT_STREQ("system", info.placement);
	control_free(&more);
	ASSERT_EQ(0, control_alloc(self->dev, "pfnmap", "carve", 8 * PMD, &more));
	control_free(&more);
	control_free(&most);
	EXPECT_TRUE(carve_is_free(self->dev));
}

/* Every other block is free: a buffer of all that, in pieces a PMD can map. */
TEST_F_TIMEOUT(room, pieces, 480)
{
	struct controlled blocks[BLOCKS];
	struct dma_buf_exporter_info info;
	size_t size = CARVE_SIZE / 2;

	for (int i = 0; i < BLOCKS; i++)
		ASSERT_EQ(0, control_alloc(self->dev, "pfnmap", "carve", PMD, &blocks[i]));
	EXPECT_EQ(-ENOSPC, control_alloc(self->dev, "pfnmap", "carve", PAGE, &self->buf));
	for (int i = 0; i < BLOCKS; i += 2)
		control_free(&blocks[i]);
	EXPECT_EQ(-ENOSPC, control_alloc(self->dev, "pfnmap", "carve", size + PAGE,
					 &self->buf));
	ASSERT_EQ(0, control_alloc(self->dev, "pfnmap", "carve", size, &self->buf));
	ASSERT_EQ(0, control_info(self->buf.control, &info));
	EXPECT_EQ(BLOCKS / 2, info.extents);
	EXPECT_EQ(PMD, info.largest_extent);

	self->map = map_aligned(self->buf.fd, size);
	ASSERT_NE(MAP_FAILED, self->map);
	EXPECT_TRUE(is_filled(self->map, 0, size));
	fill(self->map, size, 7);
	for (size_t off = 0; off < size; off += PMD)
		EXPECT_EQ(pmd_level(false), probe(self->map + off).level);

	/* What is free then is in as many pieces: nothing is gained. */
	for (int i = 1; i < BLOCKS; i += 2)
		control_free(&blocks[i]);
	EXPECT_EQ(-EALREADY, control_compact(self->buf.control));
	/* Elsewhere there is one piece for all of it. */
	EXPECT_EQ(0, control_move(self->buf.control, "vram", DMA_BUF_EXPORTER_WAIT,
				  DMA_BUF_EXPORTER_COMPACT));
	ASSERT_EQ(0, control_info(self->buf.control, &info));
	EXPECT_STREQ("vram", info.placement);
	EXPECT_EQ(1, info.extents);
	EXPECT_EQ(size, differs(self->map, size, 7));
	munmap(self->map, size);
	control_free(&self->buf);
	EXPECT_TRUE(carve_is_free(self->dev));
}

/* Nothing is charged for or lost on the way round, however often. */
TEST_F_TIMEOUT(room, nothing_is_lost, 480)
{
	static const char * const places[] = { "vram", "carve", "system" };
	long before;

	ASSERT_EQ(0, control_alloc(self->dev, "pfnmap", NULL, 16 * PMD, &self->buf));
	before = free_mib();
	for (int i = 0; i < 12; i++)
		ASSERT_EQ(0, control_move(self->buf.control, places[i % 3],
					  DMA_BUF_EXPORTER_WAIT, 0));
	EXPECT_GE(free_mib(), before - 80);
	control_free(&self->buf);
	EXPECT_TRUE(carve_is_free(self->dev));
	ASSERT_EQ(0, control_alloc(self->dev, "pfnmap", "vram", VRAM_SIZE, &self->buf));
	control_free(&self->buf);
}

TEST_HARNESS_MAIN
