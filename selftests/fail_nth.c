// SPDX-License-Identifier: GPL-2.0
/*
 * Every allocation that the kernel makes for a caller, and every copy from or to the
 * caller's memory, fails in turn: the call fails with ENOMEM or EFAULT or does
 * without, and leaves nothing behind.
 */
#include <linux/dma-buf-exporter.h>

#include "edu_dma.h"
#include "example_importer.h"
#include "moves.h"
#include "harness.h"

/* Lets the @n-th of this thread's allocations and copies fail; 0 for none. */
static bool fail(int fd, int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", n);

	return pwrite(fd, text, len, 0) == len;
}

/* Has it done so by now? */
static bool has_failed(int fd)
{
	char text[16] = {};

	return pread(fd, text, sizeof(text) - 1, 0) > 0 && !atoi(text);
}

static const char *path(const char *fault, const char *file)
{
	static char text[128];

	snprintf(text, sizeof(text), "/sys/kernel/debug/%s/%s", fault, file);
	return text;
}

/* What is called by code from the first to the last function of a name does not fail. */
static void spare(const char *fault, const char *prefix, const char *module)
{
	unsigned long long addr, first = ~0ULL, last = 0;
	FILE *f = fopen("/proc/kallsyms", "re");
	char line[512], name[256], type;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%llx %c %255s", &addr, &type, name) != 3 ||
		    strncmp(name, prefix, strlen(prefix)) || strstr(name, ".cold") ||
		    (type | 0x20) != 't' || !strchr(line, '[') != !module)
			continue;
		if (module && !strstr(line, module))
			continue;
		first = addr < first ? addr : first;
		last = addr > last ? addr : last;
	}
	if (f)
		fclose(f);
	if (!last)
		return;
	write_file(path(fault, "stacktrace-depth"), "32");
	write_file(path(fault, "reject-start"), "0x%llx", first);
	/* To somewhere behind the beginning of the last one. */
	write_file(path(fault, "reject-end"), "0x%llx", last + PAGE);
}

/* Cleans up: a call that failed because it was its turn succeeds at once. */
#define sure(call)				\
	do {					\
		bool first = true;		\
		while ((call) && first)		\
			first = false;		\
	} while (0)

static void touch_all(char *map)
{
	for (size_t off = 0; off < SIZE; off += PAGE)
		poke(map + off, 1);
}

/* 0, or the error of the first call that failed. */
static int use_heap(int et)
{
	int fd = pfnmap_alloc(SIZE), ret = 0;
	char *map;

	if (fd < 0)
		return errno;
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		ret = errno;
	} else {
		touch_all(map);
		sure(munmap(map, SIZE));
	}
	close(fd);
	return ret;
}

static int use_importers(int et)
{
	static const struct et_import how[] = {
		{ .dynamic = ET_STATIC },
		{ .dynamic = ET_DYNAMIC, .pin = 1 },
		{ .dynamic = ET_P2P },
	};
	struct et_copy copy = { .len = 8 };
	struct et_alloc alloc;
	uint64_t word;
	int ret = 0;

	if (buffer_alloc(et, &alloc, ET_PAGES, 0, 64))
		return errno;
	for (int i = 0; !ret && i < ARRAY_SIZE(how); i++) {
		struct et_import import = how[i];

		import.fd = alloc.fd;
		if (ioctl(et, ET_IMPORT, &import))
			ret = errno;
		else
			sure(ioctl(et, ET_UNIMPORT, import.id));
	}
	copy.fd = alloc.fd;
	copy.user = (uintptr_t)&word;
	if (!ret && ioctl(et, ET_VMAP, &copy))
		ret = errno;
	sure(ioctl(et, ET_FREE, alloc.id));
	close(alloc.fd);
	return ret;
}

static int use_moves(int et)
{
	struct et_import import = { .dynamic = ET_P2P };
	struct et_alloc alloc;
	struct et_move move;
	int ret = 0;
	char *map;

	if (buffer_alloc(et, &alloc, ET_PAGES, 0, 64))
		return errno;
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, alloc.fd, 0);
	if (map == MAP_FAILED) {
		ret = errno;
		goto free;
	}
	fill(map, 1);
	import.fd = alloc.fd;
	if (ioctl(et, ET_IMPORT, &import)) {
		ret = errno;
		goto unmap;
	}
	for (int kind = ET_PAGES; !ret && kind <= ET_UNPAGED; kind++) {
		move = (struct et_move) {
			.id = alloc.id, .kind = kind, .chunk = 64, .timeout_ms = ET_FOREVER,
		};
		if (ioctl(et, ET_MOVE, &move))
			ret = errno;
		/* Wherever it is now, it is whole. */
		if (wrong(map, 1))
			ret = EIO;
	}
	move = (struct et_move) { .id = alloc.id, .timeout_ms = ET_FOREVER };
	if (!ret && ioctl(et, ET_REVOKE, &move))
		ret = errno;
	sure(ioctl(et, ET_UNIMPORT, import.id));
unmap:
	sure(munmap(map, SIZE));
free:
	sure(ioctl(et, ET_FREE, alloc.id));
	close(alloc.fd);
	return ret;
}

static int use_control(int et)
{
	struct dma_buf_exporter_alloc alloc = {
		.size = sizeof(alloc), .length = SIZE, .fd_flags = O_RDWR, .source = "pfnmap",
	};
	struct dma_buf_exporter_info info = { .size = sizeof(info) };
	struct dma_buf_exporter_move_args move = {
		.size = sizeof(move), .timeout_ms = 1000, .placement = "node0",
	};
	int dev = open("/dev/dma_buf_exporter", O_RDWR | O_CLOEXEC), ret = 0;

	if (dev < 0)
		return errno;
	if (ioctl(dev, DMA_BUF_EXPORTER_ALLOC, &alloc)) {
		ret = errno;
	} else {
		if (ioctl(alloc.control_fd, DMA_BUF_EXPORTER_MOVE, &move) ||
		    ioctl(alloc.control_fd, DMA_BUF_EXPORTER_INFO, &info))
			ret = errno;
		close(alloc.control_fd);
		close(alloc.fd);
	}
	close(dev);
	return ret;
}

/* By the importer library, before and after a move. */
static int read_moved(int et, int node, const struct et_alloc *alloc)
{
	struct et_move move = { .id = alloc->id, .chunk = 64, .timeout_ms = ET_FOREVER };
	int ret = -importer_import(node, alloc->fd);
	uint64_t word;

	if (!ret && pread(node, &word, sizeof(word), 0) != sizeof(word))
		ret = errno;
	if (!ret && ioctl(et, ET_MOVE, &move))
		ret = errno;
	if (!ret && pread(node, &word, sizeof(word), 0) != sizeof(word))
		ret = errno;
	return ret;
}

static int read_mapped(int node, int fd)
{
	char *map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	uint64_t word;
	int ret;

	if (map == MAP_FAILED)
		return errno;
	ret = -importer_range(node, map + PAGE, PAGE);
	if (!ret && pread(node, &word, sizeof(word), 0) != sizeof(word))
		ret = errno;
	sure(munmap(map, SIZE));
	return ret;
}

static int use_library(int et)
{
	struct et_alloc alloc;
	int node, ret = 0;

	if (buffer_alloc(et, &alloc, ET_PAGES, 0, 64))
		return errno;
	for (int i = 0; !ret && i < 2; i++) {
		node = importer_open(O_RDONLY);
		if (node < 0) {
			ret = errno;
			break;
		}
		ret = i ? read_mapped(node, alloc.fd) : read_moved(et, node, &alloc);
		close(node);
	}
	sure(ioctl(et, ET_FREE, alloc.id));
	close(alloc.fd);
	return ret;
}

/* What the attachment was is forgotten when the device is closed. */
static int use_engine(int et)
{
	struct edu_attach how[] = {
		{ .mode = EDU_LIBRARY, .flags = EDU_P2P },
		{ .mode = EDU_LIBRARY, .flags = EDU_PIN },
	};
	int edu = open("/dev/edu_dma", O_RDWR | O_CLOEXEC), ret = 0;
	struct et_move move = { .chunk = 64, .timeout_ms = ET_FOREVER };
	struct edu_query query = {};
	struct et_alloc alloc;

	if (edu < 0)
		return errno;
	if (buffer_alloc(et, &alloc, ET_PAGES, 0, 64)) {
		ret = errno;
		close(edu);
		return ret;
	}
	move.id = alloc.id;
	how[0].fd = alloc.fd;
	how[1].fd = alloc.fd;
	if (ioctl(edu, EDU_ATTACH, &how[0]) || ioctl(et, ET_MOVE, &move))
		ret = errno;
	query.id = how[0].id;
	if (!ret && (ioctl(edu, EDU_QUERY, &query) || ioctl(edu, EDU_ATTACH, &how[1]) ||
		     ioctl(edu, EDU_DETACH, how[1].id)))
		ret = errno;
	close(edu);
	sure(ioctl(et, ET_FREE, alloc.id));
	close(alloc.fd);
	return ret;
}

FIXTURE(allocations) {
	int et, nth, live;
};

FIXTURE_VARIANT(allocations) {
	int (*use)(int et);
};

FIXTURE_VARIANT_ADD(allocations, heap) { use_heap };
FIXTURE_VARIANT_ADD(allocations, importers) { use_importers };
FIXTURE_VARIANT_ADD(allocations, moves) { use_moves };
FIXTURE_VARIANT_ADD(allocations, control) { use_control };
FIXTURE_VARIANT_ADD(allocations, library) { use_library };
FIXTURE_VARIANT_ADD(allocations, engine) { use_engine };

FIXTURE_SETUP(allocations)
{
	static const char * const faults[] = { "failslab", "fail_page_alloc", "fail_usercopy" };

	self->nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (self->nth < 0)
		SKIP(return, "no fault injection (CONFIG_FAULT_INJECTION) in this kernel");
	for (int i = 0; i < ARRAY_SIZE(faults); i++)
		write_file(path(faults[i], "verbose"), "0");
	write_file(path("failslab", "ignore-gfp-wait"), "N");
	write_file(path("fail_page_alloc", "ignore-gfp-wait"), "N");
	write_file(path("fail_page_alloc", "ignore-gfp-highmem"), "N");
	write_file(path("fail_page_alloc", "min-order"), "0");
	/* DMA debugging gives up for good when it gets no memory. */
	spare("failslab", "debug_dma_map_", NULL);
	spare("fail_page_alloc", "debug_dma_map_", NULL);
	/* What this module answers is not what is tested, and cannot be taken back. */
	spare("fail_usercopy", "et_", "[exporter_test]");
	write_file("/sys/module/pfnmap_heap/parameters/pool_mib", "0");
	self->et = et_open();
	ASSERT_GE(self->et, 0);
	self->live = live_buffers();
}

FIXTURE_TEARDOWN(allocations)
{
	if (self->nth >= 0) {
		write_file("/sys/module/pfnmap_heap/parameters/pool_mib", "64");
		close(self->et);
		close(self->nth);
	}
}

TEST_F(allocations, fail_in_turn)
{
	int n = 0, refused = 0, ret;
	bool done;

	ASSERT_EQ(0, variant->use(self->et));
	do {
		ASSERT_TRUE(fail(self->nth, ++n));
		ret = variant->use(self->et);
		done = !has_failed(self->nth);
		sure(!fail(self->nth, 0));
		refused += ret == ENOMEM;
		if (ret && ret != ENOMEM)
			ASSERT_EQ(EFAULT, ret);
		ASSERT_EQ(self->live, live_buffers()) {
			TH_LOG("failure %d left a buffer behind, the call returned %d", n, ret);
		}
	} while (!done);
	TH_LOG("%d failures, %d of them ENOMEM to the caller", n - 1, refused);
	EXPECT_GT(refused, 0);
	EXPECT_EQ(0, variant->use(self->et));
}

TEST_HARNESS_MAIN
