// SPDX-License-Identifier: GPL-2.0
/*
 * What a move costs, and the faults after it. Lines as those of bench.c.
 */
#include "bench.h"
#include "moves.h"

#define BIG	(64UL << 20)

static int alloc(int et, struct et_alloc *how, size_t size)
{
	*how = (struct et_alloc) { .size = size, .fd_flags = O_RDWR };
	return ioctl(et, ET_ALLOC, how);
}

/* The cost in the kernel of a move, or of what it is compared with. */
static uint64_t timed_move(int et, uint32_t id, unsigned int flags)
{
	struct et_move move = { .id = id, .flags = flags, .timeout_ms = ET_FOREVER };

	if (ioctl(et, ET_MOVE, &move)) {
		perror("ET_MOVE");
		exit(1);
	}
	return move.ns;
}

static void bench_move(int et)
{
	uint64_t moved[RUNS], kernel[RUNS], user[RUNS], huge[RUNS], small[RUNS];
	struct et_alloc how;
	char *map, *odd, *copy;

	if (alloc(et, &how, BIG))
		return;
	map = mmap(reserve(BIG, 0), BIG, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		   how.fd, 0);
	odd = mmap(reserve(BIG, PAGE), BIG, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		   how.fd, 0);
	copy = mmap(NULL, BIG, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	touch(map, BIG);
	touch(odd, BIG);
	for (int run = 0; run < RUNS; run++) {
		moved[run] = timed_move(et, how.id, 0);
		huge[run] = touch(map, BIG);
		huge[run] = (huge[run] - touch(map, BIG)) / (BIG / PMD);
		small[run] = touch(odd, BIG);
		small[run] = (small[run] - touch(odd, BIG)) / (BIG / PAGE);
		kernel[run] = timed_move(et, how.id, ET_MOVE_MEMCPY);
		user[run] = now();
		memcpy(copy, map, BIG);
		user[run] = now() - user[run];
	}
	figure("move", "pfnmap", BIG, median(moved), "ns");
	figure("move", "memcpy-kernel", BIG, median(kernel), "ns");
	figure("move", "memcpy-user", BIG, median(user), "ns");
	figure("refault", "pfnmap", PMD, median(huge), "ns");
	figure("refault", "pfnmap", PAGE, median(small), "ns");
	munmap(copy, BIG);
	munmap(map, BIG);
	munmap(odd, BIG);
	ioctl(et, ET_FREE, how.id);
	close(how.fd);
}

/* Taking the memory from everybody, and nothing else. */
static uint64_t timed_suspend(int et, uint32_t id)
{
	struct et_move move = { .id = id, .flags = ET_REVOKE_SUSPEND, .timeout_ms = ET_FOREVER };

	if (ioctl(et, ET_REVOKE, &move)) {
		perror("ET_REVOKE");
		exit(1);
	}
	ioctl(et, ET_RESUME, id);
	return move.ns;
}

static void bench_invalidate(int et, int mappings, int importers, const char *metric)
{
	struct et_import import[100];
	uint64_t cost[RUNS], word;
	struct et_alloc how;
	char *map[100];

	if (alloc(et, &how, SIZE))
		return;
	for (int i = 0; i < mappings; i++)
		map[i] = buffer_map(how.fd, 0);
	for (int i = 0; i < importers; i++) {
		import[i] = (struct et_import) { .fd = how.fd, .dynamic = ET_DYNAMIC };
		if (ioctl(et, ET_IMPORT, &import[i]))
			exit(1);
	}
	for (int run = 0; run < RUNS; run++) {
		for (int i = 0; i < mappings; i++)
			touch(map[i], SIZE);
		for (int i = 0; i < importers; i++)
			dma(et, import[i].id, false, 0, &word, sizeof(word));
		cost[run] = timed_suspend(et, how.id);
	}
	figure(metric, "pfnmap", SIZE, median(cost), "ns");
	for (int i = 0; i < importers; i++)
		ioctl(et, ET_UNIMPORT, import[i].id);
	for (int i = 0; i < mappings; i++)
		munmap(map[i], SIZE);
	ioctl(et, ET_FREE, how.id);
	close(how.fd);
}

int main(void)
{
	int et = et_open();

	if (et < 0) {
		perror("/dev/exporter_test");
		return 1;
	}
	bench_move(et);
	bench_invalidate(et, 1, 0, "invalidate-1-mapping");
	bench_invalidate(et, 100, 0, "invalidate-100-mappings");
	bench_invalidate(et, 0, 1, "invalidate-1-importer");
	bench_invalidate(et, 0, 100, "invalidate-100-importers");
	return 0;
}
