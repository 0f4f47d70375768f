// SPDX-License-Identifier: GPL-2.0
/*
 * What "make demo" shows after the table: a large buffer of our heap, what its
 * mapping is made of, and its way through another driver and back.
 */
#include <xf86drm.h>

#include "util.h"

#define SIZE	(256UL << 20)

static void die(const char *what)
{
	fprintf(stderr, "demo: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* The word each page begins with: tells pages and buffers apart. */
static uint64_t word(size_t off)
{
	return 0x646d612d62756600ULL ^ (off * 0x9e3779b97f4a7c15ULL);
}

static void fill(char *map)
{
	for (size_t off = 0; off < SIZE; off += PAGE)
		*(uint64_t *)(map + off) = word(off);
}

static void check(const char *map)
{
	for (size_t off = 0; off < SIZE; off += PAGE) {
		if (*(const uint64_t *)(map + off) != word(off)) {
			fprintf(stderr, "demo: wrong content at offset 0x%zx\n", off);
			exit(1);
		}
	}
}

static void show_smaps(const char *map)
{
	static const char * const keys[] = { "Size:", "Rss:", "VmFlags:" };
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long start, end;
	bool inside = false;
	char line[512];

	if (!f)
		die("/proc/self/smaps");
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2) {
			inside = start == (uintptr_t)map;
			if (inside)
				printf("  %s", line);
		}
		for (int i = 0; inside && i < ARRAY_SIZE(keys); i++)
			if (!strncmp(line, keys[i], strlen(keys[i])))
				printf("  %s", line);
	}
	fclose(f);
}

static void show_entries(char *map)
{
	unsigned long huge = 0, pte = 0, none = 0, special = 0, n = 0;
	size_t step;

	for (size_t off = 0; off < SIZE; off += step) {
		struct pfnmap_probe p = probe(map + off);

		step = PAGE;
		n++;
		if (p.level == PFNMAP_PROBE_HUGE) {
			huge++;
			step = PMD;
		} else if (p.level == PFNMAP_PROBE_PTE) {
			pte++;
		} else {
			none++;
		}
		special += p.special;
	}
	printf("  page table: %lu entries of 2 MiB, %lu of 4 KiB; %lu of %lu special\n",
	       huge, pte, special, n);
	if (none || special != n) {
		fprintf(stderr, "demo: not every entry is special\n");
		exit(1);
	}
}

static int open_vgem(void)
{
	drmVersionPtr version;
	char path[32];
	int fd, found;

	for (int i = 0; i < 16; i++) {
		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		version = drmGetVersion(fd);
		found = version && !strcmp(version->name, "vgem");
		drmFreeVersion(version);
		if (found)
			return fd;
		close(fd);
	}
	errno = ENODEV;
	return -1;
}

int main(void)
{
	int fd, again, vgem;
	uint32_t handle;
	long faults;
	char *map;

	fd = pfnmap_alloc(SIZE);
	if (fd < 0)
		die("allocating from /dev/dma_heap/pfnmap");
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		die("mmap");
	faults = minor_faults();
	fill(map);
	printf("256 MiB from /dev/dma_heap/pfnmap, mapped and written: %ld page faults\n",
	       minor_faults() - faults);
	show_smaps(map);
	show_entries(map);

	vgem = open_vgem();
	if (vgem < 0)
		die("vgem");
	if (drmPrimeFDToHandle(vgem, fd, &handle))
		die("importing into vgem");
	close(fd);
	munmap(map, SIZE);
	if (drmPrimeHandleToFD(vgem, handle, DRM_CLOEXEC | DRM_RDWR, &again))
		die("exporting from vgem");
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0);
	if (map == MAP_FAILED)
		die("mmap of what vgem exported");
	check(map);
	show_entries(map);
	printf("imported into vgem, exported again, content checked: 65536 pages\n");

	munmap(map, SIZE);
	close(again);
	drmCloseBufferHandle(vgem, handle);
	close(vgem);
	return 0;
}
