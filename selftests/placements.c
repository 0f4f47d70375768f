// SPDX-License-Identifier: GPL-2.0
/*
 * The places where the heaps have memory: buffers move between them with their
 * content and under those who use them.
 */
#include "placements.h"
#include "harness.h"

FIXTURE(placements) {
	int dev;
	int live;
	struct controlled buf;
	char *map;
	size_t size;
};

FIXTURE_SETUP(placements)
{
	self->dev = control_open();
	ASSERT_GE(self->dev, 0);
	self->live = live_buffers();
	self->size = 6 * PMD;
}

FIXTURE_TEARDOWN(placements)
{
	EXPECT_EQ(self->live, live_buffers());
	close(self->dev);
}

static bool there(int dev, const char *placement)
{
	struct controlled c;

	if (control_alloc(dev, "pfnmap", placement, PAGE, &c))
		return false;
	control_free(&c);
	return true;
}

/* The node of a frame that has a page, by /proc/zoneinfo; -1 for none. */
static int node_of(uint64_t pfn)
{
	FILE *f = fopen("/proc/zoneinfo", "re");
	unsigned long long start, spanned = 0;
	int node = -1, found = -1;
	char line[256];

	while (f && found < 0 && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Node %d, zone", &node) == 1 ||
		    sscanf(line, " spanned %llu", &spanned) == 1)
			continue;
		if (sscanf(line, " start_pfn: %llu", &start) == 1 && pfn - start < spanned)
			found = node;
	}
	if (f)
		fclose(f);
	return found;
}

/* Which memory an address is in, by what maps it. */
static const char *kind_of(const struct pfnmap_probe *p)
{
	uint64_t addr = p->pfn * PAGE;

	if (p->refcount >= 0)
		return node_of(p->pfn) == 1 ? "node1" : "node0";
	return addr - CARVE_BASE < CARVE_SIZE ? "carve" : "vram";
}

struct place {
	const char *name;
	const char *kind;
	unsigned int cache;
};

static const struct place tour[] = {
	{ "carve", "carve", PFNMAP_PROBE_WB },
	{ "vram", "vram", PFNMAP_PROBE_WC },
	{ "carve", "carve", PFNMAP_PROBE_WB },
	{ "system", NULL, PFNMAP_PROBE_WB },
	{ "vram", "vram", PFNMAP_PROBE_WC },
	{ "node0", "node0", PFNMAP_PROBE_WB },
	{ "system", NULL, PFNMAP_PROBE_WB },
};

static const struct place nodes[] = {
	{ "node1", "node1", PFNMAP_PROBE_WB },
	{ "carve", "carve", PFNMAP_PROBE_WB },
	{ "node0", "node0", PFNMAP_PROBE_WB },
	{ "node1", "node1", PFNMAP_PROBE_WB },
	{ "vram", "vram", PFNMAP_PROBE_WC },
	{ "system", NULL, PFNMAP_PROBE_WB },
};

/* Mapped all the time: the mapping shows the new place, and the old content. */
static void go_round(struct __test_metadata *_metadata, struct _test_data_placements *self,
		     const struct place *places, size_t n)
{
	struct dma_buf_exporter_info info;
	struct controlled pages[2];
	unsigned int level = PFNMAP_PROBE_HUGE, moves = 0;

	/* The first frame of each region is taken: alignment is no accident. */
	ASSERT_EQ(0, control_alloc(self->dev, "pfnmap", "carve", PAGE, &pages[0]));
	ASSERT_EQ(0, control_alloc(self->dev, "pfnmap", "vram", PAGE, &pages[1]));
	ASSERT_EQ(0, control_alloc(self->dev, "pfnmap", NULL, self->size, &self->buf));
	self->map = map_aligned(self->buf.fd, self->size);
	ASSERT_NE(MAP_FAILED, self->map);
	ASSERT_EQ(0, control_info(self->buf.control, &info));
	EXPECT_STREQ("system", info.placement);
	fill(self->map, self->size, 0);

	for (size_t i = 0; i < n; i++) {
		const struct place *place = &places[i];

		ASSERT_EQ(0, control_move(self->buf.control, place->name,
					  DMA_BUF_EXPORTER_WAIT, 0)) {
			TH_LOG("to %s", place->name);
		}
		/* A mapping keeps the page tables that it needed once. */
		if (!strcmp(place->name, "carve") || !strcmp(place->name, "vram"))
			level = pmd_level(false);
		/* Nothing of the old place is left in the page tables. */
		EXPECT_EQ(PFNMAP_PROBE_NONE, probe(self->map).level);
		ASSERT_EQ(0, control_info(self->buf.control, &info));
		EXPECT_STREQ(place->name, info.placement);
		EXPECT_EQ(moves + 1, info.moves);

		ASSERT_EQ(self->size, differs(self->map, self->size, moves)) {
			TH_LOG("at %s", place->name);
		}
		for (size_t off = 0; off < self->size; off += PMD) {
			struct pfnmap_probe p = probe(self->map + off);

			EXPECT_EQ(1, p.special);
			EXPECT_EQ(place->cache, p.cache);
			EXPECT_EQ(level, p.level);
			/* On either node. */
			if (!place->kind) {
				EXPECT_EQ(1, p.refcount);
				continue;
			}
			EXPECT_STREQ(place->kind, kind_of(&p)) {
				TH_LOG("%s: frame %llx", place->name, p.pfn);
			}
		}
		fill(self->map, self->size, ++moves);
	}
	munmap(self->map, self->size);
	control_free(&self->buf);
	control_free(&pages[0]);
	control_free(&pages[1]);
}

TEST_F_TIMEOUT(placements, tour, 480)
{
	go_round(_metadata, self, tour, ARRAY_SIZE(tour));
}

TEST_F_TIMEOUT(placements, nodes, 480)
{
	if (!there(self->dev, "node1"))
		SKIP(return, "no node1 in this machine");
	go_round(_metadata, self, nodes, ARRAY_SIZE(nodes));
}

/* What a move to nowhere leaves: the buffer where it was. */
TEST_F(placements, no_such_placement)
{
	struct dma_buf_exporter_info info;

	EXPECT_EQ(-EINVAL, control_alloc(self->dev, "pfnmap", "nowhere", PAGE, &self->buf));
	EXPECT_EQ(-ENOENT, control_alloc(self->dev, "nowhere", NULL, PAGE, &self->buf));
	EXPECT_EQ(-ENOENT, control_alloc(self->dev, "", NULL, PAGE, &self->buf));
	ASSERT_EQ(0, control_alloc(self->dev, "pfnmap", NULL, PAGE, &self->buf));
	EXPECT_EQ(-EINVAL, control_move(self->buf.control, "nowhere",
					DMA_BUF_EXPORTER_WAIT, 0));
	EXPECT_EQ(-EINVAL, control_move(self->buf.control, "node99",
					DMA_BUF_EXPORTER_WAIT, 0));
	ASSERT_EQ(0, control_info(self->buf.control, &info));
	EXPECT_STREQ("system", info.placement);
	EXPECT_EQ(0, info.moves);
	control_free(&self->buf);
}

/* Every place is a source, and each region a heap, under one name. */
TEST_F(placements, heaps)
{
	static const char * const heaps[][2] = {
		{ "pfnmap", "system" }, { "pfnmap-carve", "carve" }, { "pfnmap-vram", "vram" },
	};
	struct dma_buf_exporter_info info;

	for (int i = 0; i < ARRAY_SIZE(heaps); i++) {
		int fd = heap_alloc(heaps[i][0], 3 * PAGE, O_RDWR | O_CLOEXEC);

		ASSERT_GE(fd, 0) {
			TH_LOG("%s: %s", heaps[i][0], strerror(errno));
		}
		info = (struct dma_buf_exporter_info) { .size = sizeof(info), .fd = fd };
		EXPECT_EQ(0, control_call(self->dev, DMA_BUF_EXPORTER_INFO, &info));
		EXPECT_STREQ(heaps[i][1], info.placement);
		EXPECT_EQ(3 * PAGE, info.length);
		close(fd);

		ASSERT_EQ(0, control_alloc(self->dev, heaps[i][0], NULL, PAGE, &self->buf));
		ASSERT_EQ(0, control_info(self->buf.control, &info));
		EXPECT_STREQ(heaps[i][1], info.placement);
		control_free(&self->buf);

		/* Any heap knows all places. */
		ASSERT_EQ(0, control_alloc(self->dev, heaps[i][0], "carve", PAGE, &self->buf));
		ASSERT_EQ(0, control_info(self->buf.control, &info));
		EXPECT_STREQ("carve", info.placement);
		control_free(&self->buf);
	}
}

/* What the last owner wrote is not seen by the next one, wherever. */
TEST_F(placements, zeroed)
{
	static const char * const places[] = { "system", "carve", "vram" };

	for (int i = 0; i < 2 * ARRAY_SIZE(places); i++) {
		const char *place = places[i / 2];
		size_t size = PMD + 3 * PAGE;

		ASSERT_EQ(0, control_alloc(self->dev, "pfnmap", place, size, &self->buf));
		self->map = map_aligned(self->buf.fd, size);
		ASSERT_NE(MAP_FAILED, self->map);
		EXPECT_TRUE(is_filled(self->map, 0, size)) {
			TH_LOG("%s", place);
		}
		memset(self->map, 0xa5, size);
		munmap(self->map, size);
		control_free(&self->buf);
	}
}

/* Who waits for nobody is told at once; a revoked buffer has no place. */
TEST_F(placements, revoked)
{
	struct dma_buf_exporter_info info;

	ASSERT_EQ(0, control_alloc(self->dev, "pfnmap", "carve", PMD, &self->buf));
	EXPECT_EQ(0, control_move(self->buf.control, "vram", DMA_BUF_EXPORTER_BLOCK, 0));
	EXPECT_EQ(0, control_revoke(self->buf.control));
	ASSERT_EQ(0, control_info(self->buf.control, &info));
	EXPECT_EQ(DMA_BUF_EXPORTER_REVOKED, info.state);
	EXPECT_STREQ("", info.placement);
	EXPECT_EQ(-ENODEV, control_move(self->buf.control, "carve", DMA_BUF_EXPORTER_WAIT, 0));
	EXPECT_EQ(-ENODEV, control_compact(self->buf.control));
	/* The memory is back although the buffer lives. */
	EXPECT_TRUE(carve_is_free(self->dev));
	control_free(&self->buf);
}

/* Regions are the module's as long as a buffer may be there. */
TEST_F(placements, unload)
{
	static const char * const places[] = { "system", "carve", "vram" };

	for (int i = 0; i < ARRAY_SIZE(places); i++) {
		ASSERT_EQ(0, control_alloc(self->dev, "pfnmap", "system", PMD, &self->buf));
		ASSERT_EQ(0, control_move(self->buf.control, places[i],
					  DMA_BUF_EXPORTER_WAIT, 0));
		/* The dma-buf's own descriptor is not needed for that. */
		close(self->buf.fd);
		EXPECT_EQ(-1, syscall(SYS_delete_module, "pfnmap_heap", O_NONBLOCK));
		EXPECT_EQ(EWOULDBLOCK, errno);
		close(self->buf.control);
	}
	if (!access(CORE_ACCOUNTING, F_OK))
		return;
	/* Where heaps can go, they do, and leave nothing in the way of the next. */
	EXPECT_EQ(0, syscall(SYS_delete_module, "pfnmap_heap", O_NONBLOCK));
	EXPECT_EQ(-ENOENT, control_alloc(self->dev, "pfnmap", NULL, PAGE, &self->buf));
	EXPECT_NE(0, access("/dev/dma_heap/pfnmap-carve", F_OK));
	ASSERT_EQ(0, system("modprobe pfnmap_heap"));
	EXPECT_TRUE(carve_is_free(self->dev));
}

TEST_HARNESS_MAIN
