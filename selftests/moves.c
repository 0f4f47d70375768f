// SPDX-License-Identifier: GPL-2.0
/*
 * Moves: nobody sees the old place, nothing is lost, and what happens in the
 * middle of one. Barriers are copies that wait until the test lets them go on.
 */
#include "moves.h"
#include "harness.h"

/* From memory of each kind to each other. */
FIXTURE(kinds) {
	int et;
	struct et_alloc how;
	struct et_import import;
	char *map[3];
};

FIXTURE_VARIANT(kinds) {
	unsigned int from, from_caching, from_chunk;
	unsigned int to, to_caching, to_chunk;
};

FIXTURE_VARIANT_ADD(kinds, pages_to_pages) { ET_PAGES, 0, 0, ET_PAGES, 0, 0 };
FIXTURE_VARIANT_ADD(kinds, compaction) { ET_PAGES, 0, 1, ET_PAGES, 0, 0 };
FIXTURE_VARIANT_ADD(kinds, fragmentation) { ET_PAGES, 0, 0, ET_PAGES, 0, 1 };
FIXTURE_VARIANT_ADD(kinds, odd_pieces) { ET_UNPAGED, 0, 3, ET_PAGES, 0, 8 };
FIXTURE_VARIANT_ADD(kinds, pages_to_wc) { ET_PAGES, 0, 0, ET_PAGES, 1, 0 };
FIXTURE_VARIANT_ADD(kinds, wc_to_unpaged) { ET_PAGES, 1, 0, ET_UNPAGED, 0, 0 };
FIXTURE_VARIANT_ADD(kinds, pages_to_unpaged) { ET_PAGES, 0, 0, ET_UNPAGED, 0, 0 };
FIXTURE_VARIANT_ADD(kinds, unpaged_to_pages) { ET_UNPAGED, 0, 0, ET_PAGES, 0, 0 };
FIXTURE_VARIANT_ADD(kinds, pages_to_io) { ET_PAGES, 0, 0, ET_IO, 1, 0 };
FIXTURE_VARIANT_ADD(kinds, io_to_unpaged) { ET_IO, 1, 0, ET_UNPAGED, 0, 0 };
FIXTURE_VARIANT_ADD(kinds, uncached_io_to_pages) { ET_IO, 2, 5, ET_PAGES, 0, 0 };

FIXTURE_SETUP(kinds)
{
	int ret;

	self->et = et_open();
	ASSERT_GE(self->et, 0);
	ret = buffer_alloc(self->et, &self->how, variant->from, variant->from_caching,
			   variant->from_chunk);
	if (ret == -ENODEV)
		SKIP(return, "no memory of this kind in this machine");
	ASSERT_EQ(0, ret);
	self->map[0] = buffer_map(self->how.fd, 0);
	self->map[1] = mmap(reserve(SIZE, PAGE), SIZE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_FIXED, self->how.fd, 0);
	self->map[2] = buffer_map(self->et, self->how.node_offset);
	for (int i = 0; i < ARRAY_SIZE(self->map); i++)
		ASSERT_NE(MAP_FAILED, self->map[i]);
	self->import = (struct et_import) { .fd = self->how.fd, .dynamic = ET_P2P };
	ASSERT_EQ(0, ioctl(self->et, ET_IMPORT, &self->import));
}

FIXTURE_TEARDOWN(kinds)
{
	if (self->how.id) {
		ioctl(self->et, ET_UNIMPORT, self->import.id);
		for (int i = 0; i < ARRAY_SIZE(self->map); i++)
			munmap(self->map[i], SIZE);
		ioctl(self->et, ET_FREE, self->how.id);
		close(self->how.fd);
	}
	close(self->et);
}

/* CPU, device and kernel find the data at the new place, and none of the old. */
TEST_F(kinds, everybody_follows)
{
	struct et_move move = {
		.id = self->how.id, .kind = variant->to, .caching = variant->to_caching,
		.chunk = variant->to_chunk, .timeout_ms = ET_FOREVER,
	};
	struct et_stats before = et_stats(self->et), after;
	unsigned long pfn;
	uint64_t word;

	fill(self->map[0], 1);
	for (int i = 1; i < ARRAY_SIZE(self->map); i++)
		ASSERT_EQ(0, wrong(self->map[i], 1));
	pfn = probe(self->map[0]).pfn;

	ASSERT_EQ(0, ioctl(self->et, ET_MOVE, &move));
	after = et_stats(self->et);
	EXPECT_EQ(before.frees + 1, after.frees);
	EXPECT_EQ(before.invalidates + 1, after.invalidates);
	for (int i = 0; i < ARRAY_SIZE(self->map); i++)
		EXPECT_EQ(0, entries(self->map[i]));

	for (int i = 0; i < ARRAY_SIZE(self->map); i++)
		EXPECT_EQ(0, wrong(self->map[i], 1));
	EXPECT_NE(pfn, probe(self->map[0]).pfn);
	EXPECT_EQ(1, probe(self->map[0]).special);

	/* A mapping keeps the page tables it has; a new one has none. */
	munmap(self->map[0], SIZE);
	self->map[0] = buffer_map(self->how.fd, 0);
	EXPECT_EQ(0, wrong(self->map[0], 1));
	EXPECT_EQ(variant->to_chunk ? PFNMAP_PROBE_PTE : pmd_level(variant->to == ET_PAGES),
		  probe(self->map[0]).level);
	for (size_t off = 0; off < SIZE; off += PAGE) {
		ASSERT_EQ(0, dma(self->et, self->import.id, false, off, &word, sizeof(word)));
		ASSERT_EQ(1 + off, word);
		word = 2 + off;
		ASSERT_EQ(0, dma(self->et, self->import.id, true, off, &word, sizeof(word)));
	}
	EXPECT_EQ(0, wrong(self->map[2], 2));
}

/* A buffer in the middle of being moved. */
FIXTURE(middle) {
	int et;
	struct et_alloc how;
	char *map;
	struct caller mover;
	struct toucher toucher;
};

FIXTURE_VARIANT(middle) {
	unsigned int flags;
	bool node;
};

/* The copy is made with the lock held; by a device; of a mapping of the node. */
FIXTURE_VARIANT_ADD(middle, copy) { ET_MOVE_PAUSE };
FIXTURE_VARIANT_ADD(middle, async) { ET_MOVE_ASYNC };
FIXTURE_VARIANT_ADD(middle, node) { ET_MOVE_ASYNC, true };

FIXTURE_SETUP(middle)
{
	struct et_move move;
	int ret = 0;

	self->et = et_open();
	ASSERT_GE(self->et, 0);
	ASSERT_EQ(0, buffer_alloc(self->et, &self->how, ET_PAGES, 0, 0));
	self->map = buffer_map(variant->node ? self->et : self->how.fd,
			       variant->node ? self->how.node_offset : 0);
	ASSERT_NE(MAP_FAILED, self->map);
	fill(self->map, 1);
	move = (struct et_move) {
		.id = self->how.id, .flags = variant->flags, .timeout_ms = ET_FOREVER,
	};
	if (variant->flags & ET_MOVE_ASYNC)
		ret = ioctl(self->et, ET_MOVE, &move);
	else
		start_move(&self->mover, self->et, &move);
	ASSERT_EQ(0, ret);
}

FIXTURE_TEARDOWN(middle)
{
	munmap(self->map, SIZE);
	ioctl(self->et, ET_FREE, self->how.id);
	close(self->how.fd);
	close(self->et);
}

/* Ends the copy, and returns what the move came to. */
static int go(int et, struct caller *mover, int error)
{
	ioctl(et, ET_GO, error);
	return mover->tid ? finish(mover) : 0;
}

TEST_F(middle, fault_waits)
{
	start_toucher(&self->toucher, self->map + 8, 7);
	EXPECT_EQ(0, entries(self->map));
	EXPECT_FALSE(self->toucher.done);

	EXPECT_EQ(0, go(self->et, &self->mover, 0));
	pthread_join(self->toucher.thread, NULL);
	EXPECT_EQ(0, wrong(self->map, 1));
	EXPECT_EQ(7, self->map[8]);
}

/* The copy fails: the data is where it was, and the new memory is given back. */
TEST_F(middle, failure_is_harmless)
{
	struct et_stats before = et_stats(self->et);

	start_toucher(&self->toucher, self->map + 8, 7);
	EXPECT_EQ(variant->flags & ET_MOVE_ASYNC ? 0 : -EIO,
		  go(self->et, &self->mover, EIO));
	pthread_join(self->toucher.thread, NULL);
	EXPECT_EQ(0, wrong(self->map, 1));
	EXPECT_EQ(7, self->map[8]);
	EXPECT_EQ(0, buffer_move(self->et, self->how.id, WAIT, 0, ET_FOREVER));
	EXPECT_EQ(0, wrong(self->map, 1));
	/* Of two places, one has been given back by the move that was made. */
	EXPECT_LE(before.frees + 1, et_stats(self->et).frees);
}

/* The new place is not the buffer's before the data is there. */
TEST_F(middle, importer_waits)
{
	struct et_import import = { .fd = self->how.fd, .dynamic = ET_DYNAMIC };
	struct caller importer = {};
	uint64_t word;

	start_call(&importer, self->et, ET_IMPORT, (unsigned long)&import);
	EXPECT_EQ(0, go(self->et, &self->mover, 0));
	ASSERT_EQ(0, finish(&importer));
	EXPECT_EQ(0, dma(self->et, import.id, false, PMD, &word, sizeof(word)));
	EXPECT_EQ(1 + PMD, word);
	EXPECT_EQ(0, ioctl(self->et, ET_UNIMPORT, import.id));
}

TEST_F(middle, vmap_waits)
{
	uint64_t word = 0;
	struct et_copy copy = {
		.fd = self->how.fd, .offset = PMD, .len = sizeof(word),
		.user = (uintptr_t)&word,
	};
	struct caller importer = {};

	start_call(&importer, self->et, ET_VMAP, (unsigned long)&copy);
	EXPECT_EQ(0, go(self->et, &self->mover, 0));
	ASSERT_EQ(0, finish(&importer));
	EXPECT_EQ(1 + PMD, word);
}

TEST_F(middle, ptrace_waits)
{
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	uint64_t word = 0;
	pid_t pid = fork();
	int status;

	ASSERT_GE(pid, 0);
	if (!pid) {
		pread(mem, &word, sizeof(word), (off_t)(self->map + PAGE));
		_exit(word != 1 + PAGE);
	}
	wait_asleep(pid, pid);
	EXPECT_EQ(0, go(self->et, &self->mover, 0));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	close(mem);
}

/* The address space changes while the copy is made. */
TEST_F(middle, munmap)
{
	EXPECT_EQ(0, munmap(self->map, PMD));
	EXPECT_EQ(0, go(self->et, &self->mover, 0));
	self->map = mmap(self->map, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			 self->how.fd, 0);
	EXPECT_EQ(0, wrong(self->map, 1));
}

TEST_F(middle, mremap)
{
	char *to = reserve(SIZE, 0);

	ASSERT_EQ(to, mremap(self->map, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, to));
	self->map = to;
	start_toucher(&self->toucher, to + 8, 7);
	EXPECT_EQ(0, go(self->et, &self->mover, 0));
	pthread_join(self->toucher.thread, NULL);
	EXPECT_EQ(0, wrong(to, 1));
}

TEST_F(middle, fork)
{
	int status;
	pid_t pid = fork();

	ASSERT_GE(pid, 0);
	if (!pid) {
		int n;

		poke(self->map + 8, 7);	/* sleeps until the move is over */
		n = wrong(self->map, 1);
		_exit(n ? 1 : 0);
	}
	wait_asleep(pid, pid);
	EXPECT_EQ(0, go(self->et, &self->mover, 0));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(7, self->map[8]);
}

/* Who is killed while its fault waits is gone before the move is over. */
TEST_F(middle, exit_under_fault)
{
	int status;
	pid_t pid = fork();

	ASSERT_GE(pid, 0);
	if (!pid) {
		poke(self->map + 8, 7);
		_exit(1);
	}
	wait_asleep(pid, pid);
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(0, go(self->et, &self->mover, 0));
	EXPECT_EQ(0, wrong(self->map, 1));
}

/* The second mover goes on where the first came to. */
TEST_F(middle, two_movers)
{
	struct caller second = {};

	start_move(&second, self->et, &(struct et_move) {
		.id = self->how.id, .timeout_ms = ET_FOREVER, .chunk = 1 });
	EXPECT_FALSE(second.done);
	EXPECT_EQ(0, go(self->et, &self->mover, 0));
	EXPECT_EQ(0, finish(&second));
	EXPECT_EQ(0, wrong(self->map, 1));
	EXPECT_EQ(PFNMAP_PROBE_PTE, probe(self->map).level);
}

static void *close_thread(void *arg)
{
	close((long)arg);
	return NULL;
}

/* The last reference goes while the copy is made. */
TEST_F(middle, last_put)
{
	struct et_stats before = et_stats(self->et);
	int dup_fd = dup(self->how.fd);
	pthread_t closer;

	munmap(self->map, SIZE);
	ioctl(self->et, ET_FREE, self->how.id);
	close(self->how.fd);
	/* The last close waits for the end of the copy. */
	pthread_create(&closer, NULL, close_thread, (void *)(long)dup_fd);
	EXPECT_EQ(0, go(self->et, &self->mover, 0));
	pthread_join(closer, NULL);
	EXPECT_EQ(before.frees + 2, et_stats(self->et).frees);
	self->how.fd = -1;
}

/* Two writers in two mappings, round and round: no word is lost. */
struct writer {
	pthread_t thread;
	uint64_t *word;
	bool *stop;
	uint64_t n;
	int lost;
};

static void *writer_thread(void *arg)
{
	struct writer *w = arg;

	while (!__atomic_load_n(w->stop, __ATOMIC_RELAXED)) {
		if (__atomic_load_n(w->word, __ATOMIC_RELAXED) != w->n)
			w->lost++;
		__atomic_store_n(w->word, ++w->n, __ATOMIC_RELAXED);
	}
	return NULL;
}

TEST(writers_lose_nothing)
{
	struct writer w[2] = {};
	struct et_alloc how;
	bool stop = false;
	int et = et_open();
	char *map[2];

	ASSERT_EQ(0, buffer_alloc(et, &how, ET_PAGES, 0, 0));
	for (int i = 0; i < ARRAY_SIZE(w); i++) {
		map[i] = mmap(reserve(SIZE, i * PAGE), SIZE, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_FIXED, how.fd, 0);
		ASSERT_NE(MAP_FAILED, map[i]);
		w[i].word = (uint64_t *)(map[i] + PMD + i * 64);
		w[i].stop = &stop;
		pthread_create(&w[i].thread, NULL, writer_thread, &w[i]);
	}
	for (int i = 0; i < 200; i++)
		ASSERT_EQ(0, ioctl(et, ET_MOVE, &(struct et_move) {
			.id = how.id, .timeout_ms = ET_FOREVER, .chunk = i & 1 }));
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < ARRAY_SIZE(w); i++) {
		pthread_join(w[i].thread, NULL);
		EXPECT_EQ(0, w[i].lost);
		EXPECT_GT(w[i].n, 200);
		munmap(map[i], SIZE);
	}
	ioctl(et, ET_FREE, how.id);
	close(how.fd);
	close(et);
}

TEST_HARNESS_MAIN
