// SPDX-License-Identifier: GPL-2.0
/*
 * Costs of our heap and of its peers in one boot, interleaved. One line a figure:
 * METRIC SUBJECT SIZE VALUE UNIT. In a guest whose clock counts instructions,
 * nanoseconds are instructions.
 */
#include <linux/udmabuf.h>
#include <xf86drm.h>
#include <drm_mode.h>

#include "bench.h"

static int heap_pfnmap(size_t size)
{
	return heap_alloc("pfnmap", size, O_RDWR | O_CLOEXEC);
}

static int heap_system(size_t size)
{
	return heap_alloc("system", size, O_RDWR | O_CLOEXEC);
}

static int udmabuf_flags(size_t size, unsigned int flags)
{
	struct udmabuf_create create = { .flags = UDMABUF_FLAGS_CLOEXEC, .size = size };
	int dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC), fd = -1;

	create.memfd = memfd_create("bench", MFD_ALLOW_SEALING | flags);
	if (dev >= 0 && !ftruncate(create.memfd, size) &&
	    !fcntl(create.memfd, F_ADD_SEALS, F_SEAL_SHRINK))
		fd = ioctl(dev, UDMABUF_CREATE, &create);
	close(create.memfd);
	close(dev);
	return fd;
}

static int udmabuf(size_t size)
{
	return udmabuf_flags(size, 0);
}

static int udmabuf_huge(size_t size)
{
	return size % PMD ? -1 : udmabuf_flags(size, MFD_HUGETLB);
}

static int vgem_card(void)
{
	static int card = -1;
	char path[32];

	for (int i = 0; card < 0 && i < 16; i++) {
		drmVersionPtr version;

		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		card = open(path, O_RDWR | O_CLOEXEC);
		version = card < 0 ? NULL : drmGetVersion(card);
		if (version && strcmp(version->name, "vgem")) {
			close(card);
			card = -1;
		}
		drmFreeVersion(version);
	}
	return card;
}

static int vgem(size_t size)
{
	struct drm_mode_create_dumb dumb = { .width = 1024, .height = size / 4096, .bpp = 32 };
	int card = vgem_card(), fd = -1;

	if (card < 0 || drmIoctl(card, DRM_IOCTL_MODE_CREATE_DUMB, &dumb))
		return -1;
	if (drmPrimeHandleToFD(card, dumb.handle, DRM_CLOEXEC | DRM_RDWR, &fd))
		fd = -1;
	drmCloseBufferHandle(card, dumb.handle);
	return fd;
}

static const struct subject {
	const char *name;
	int (*alloc)(size_t size);
} subjects[] = {
	{ "pfnmap", heap_pfnmap },
	{ "system", heap_system },
	{ "udmabuf", udmabuf },
	{ "udmabuf-huge", udmabuf_huge },
	{ "vgem", vgem },
};

/* mmap() and a write to each page, minus a second write to each page. */
static bool first_touch(const struct subject *s, size_t size, size_t offset,
			uint64_t *cost, uint64_t *faults)
{
	char *at = reserve(size, offset), *map;
	int fd = s->alloc(size);
	uint64_t start, first;
	long before;

	if (fd < 0)
		return false;
	before = minor_faults();
	start = now();
	map = mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	if (map == MAP_FAILED)
		return false;
	touch(map, size);
	first = now() - start;
	*faults = minor_faults() - before;
	*cost = first - touch(map, size);
	munmap(at - offset, size + 2 * PMD);
	close(fd);
	return true;
}

static void bench_first_touch(const char *metric, size_t size, size_t offset)
{
	uint64_t cost[ARRAY_SIZE(subjects)][RUNS], faults[ARRAY_SIZE(subjects)][RUNS];
	bool good[ARRAY_SIZE(subjects)];
	char name[64];

	for (int run = 0; run < RUNS; run++)
		for (int i = 0; i < ARRAY_SIZE(subjects); i++)
			good[i] = first_touch(&subjects[i], size, offset, &cost[i][run],
					      &faults[i][run]);
	snprintf(name, sizeof(name), "faults-%s", metric);
	for (int i = 0; i < ARRAY_SIZE(subjects); i++) {
		if (!good[i])
			continue;
		figure(metric, subjects[i].name, size, median(cost[i]), "ns");
		figure(name, subjects[i].name, size, median(faults[i]), "faults");
	}
}

static void bench_alloc_free(size_t size)
{
	uint64_t cost[ARRAY_SIZE(subjects)][RUNS];
	bool good[ARRAY_SIZE(subjects)];

	for (int run = 0; run < RUNS; run++) {
		for (int i = 0; i < ARRAY_SIZE(subjects); i++) {
			uint64_t start = now();
			int fd = subjects[i].alloc(size);

			good[i] = fd >= 0;
			close(fd);
			cost[i][run] = now() - start;
		}
	}
	for (int i = 0; i < ARRAY_SIZE(subjects); i++)
		if (good[i])
			figure("alloc-free", subjects[i].name, size, median(cost[i]), "ns");
}

int main(void)
{
	static const size_t alloc[] = { PAGE, 1 << 20, 64 << 20 };
	static const size_t map[] = { 4 << 20, 64 << 20, 256 << 20 };

	for (int i = 0; i < ARRAY_SIZE(alloc); i++)
		bench_alloc_free(alloc[i]);
	for (int i = 0; i < ARRAY_SIZE(map); i++) {
		bench_first_touch("first-touch", map[i], 0);
		bench_first_touch("first-touch-misaligned", map[i], PAGE);
	}
	return 0;
}
