// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/dma_heap/pfnmap: where the memory comes from, what of it is kept, and who
 * pays for it. Every test ends with no buffer alive.
 */
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "control.h"
#include "heap.h"
#include "harness.h"

#define BOOST	"/proc/sys/vm/watermark_boost_factor"

/* Where the memory comes from and goes to, with and without the pool. */
FIXTURE(memory) {
	int dev;
	int live;
	long pool;
};

FIXTURE_VARIANT(memory) {
	int pool;
};

FIXTURE_VARIANT_ADD(memory, no_pool) {
	.pool = 0,
};

FIXTURE_VARIANT_ADD(memory, small_pool) {
	.pool = 16,
};

FIXTURE_VARIANT_ADD(memory, pool) {
	.pool = 64,
};

/*
 * Free memory says where pages are only when few of them are on the lists that
 * the page allocator keeps for each processor.
 */
#define PCP_LISTS	"/proc/sys/vm/percpu_pagelist_high_fraction"

FIXTURE_SETUP(memory)
{
	self->dev = open("/dev/dma_heap/pfnmap", O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->dev, 0);
	self->pool = read_number(POOL_MIB, NULL);
	ASSERT_EQ(0, write_file(PCP_LISTS, "1000000"));
	ASSERT_EQ(0, write_file(POOL_MIB, "%d", variant->pool));
	/* What has to be reclaimed for the buffers of a test is reclaimed now. */
	close(alloc_from(self->dev, 128 * MIB, O_RDWR));
	ASSERT_EQ(0, write_file("/proc/sys/vm/drop_caches", "3"));
	self->live = live_buffers();
}

FIXTURE_TEARDOWN(memory)
{
	EXPECT_EQ(self->live, live_buffers());
	EXPECT_EQ(0, write_file(POOL_MIB, "%ld", self->pool));
	EXPECT_EQ(0, write_file(PCP_LISTS, "0"));
	close(self->dev);
}

#define BUFFERS	8

/* What the last owner wrote is never seen, however fast the memory comes back. */
TEST_F_TIMEOUT(memory, zeroed, 480)
{
	static const size_t sizes[] = { PAGE, 16 * PAGE, PMD, 2 * PMD + 3 * PAGE };

	for (int round = 0; round < 16 * ARRAY_SIZE(sizes); round++) {
		size_t size = sizes[round % ARRAY_SIZE(sizes)];
		int fds[BUFFERS];

		for (int i = 0; i < BUFFERS; i++) {
			char *p;

			fds[i] = alloc_from(self->dev, size, O_RDWR);
			ASSERT_GE(fds[i], 0);
			p = map(fds[i], size);
			ASSERT_NE(MAP_FAILED, p);
			ASSERT_TRUE(is_filled(p, 0, size)) {
				TH_LOG("round %d, buffer %d of %zu bytes", round, i, size);
			}
			memset(p, 0xa5, size);
			munmap(p, size);
		}
		for (int i = 0; i < BUFFERS; i++)
			close(fds[i]);
	}
}

/* MiB that are not free any more once 128 have been allocated and freed. */
static long kept_once(int dev)
{
	long before = free_mib();
	int fd = alloc_from(dev, 128 * MIB, O_RDWR);

	if (fd < 0)
		return fd;
	close(fd);
	return before - free_mib();
}

/*
 * The same, from an empty pool. Others free and take memory, too (what ended before
 * this began does so a little later): where it is not what it should be, once more.
 */
static long kept_of_128(int dev, long expected)
{
	long pool = read_number(POOL_MIB, NULL), kept = kept_once(dev);

	for (int i = 0; i < 5 && labs(kept - expected) > 6; i++) {
		if (write_file(POOL_MIB, "0") || write_file(POOL_MIB, "%ld", pool))
			return -EIO;
		kept = kept_once(dev);
	}
	return kept;
}

TEST_F(memory, pool_is_bounded)
{
	long pool = accounting() ? 0 : variant->pool;
	long kept = kept_of_128(self->dev, pool), again;

	TH_LOG("%ld MiB kept of 128", kept);
	EXPECT_LE(kept, pool + 6);
	EXPECT_GE(kept, pool - 6);
	/* The same once more does not add to it. */
	again = kept_once(self->dev);
	for (int i = 0; i < 5 && again > 6; i++)
		again = kept_once(self->dev);
	EXPECT_LE(again, 6);
}

TEST_F(memory, shrinker_empties_pool)
{
	long pool = accounting() ? 0 : variant->pool, before;

	kept_of_128(self->dev, pool);
	before = free_mib();
	ASSERT_EQ(0, write_file("/proc/sys/vm/drop_caches", "2"));
	EXPECT_GE(free_mib() - before, pool - 6);
}

/* What becomes of an allocation when memory is short. */
FIXTURE(pressure) {
	int dev;
	int live;
	long pool, killed, before;
};

FIXTURE_SETUP(pressure)
{
	self->dev = open("/dev/dma_heap/pfnmap", O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->dev, 0);
	self->pool = read_number(POOL_MIB, NULL);
	ASSERT_EQ(0, write_file(PCP_LISTS, "1000000"));
	ASSERT_EQ(0, write_file(POOL_MIB, "0"));
	ASSERT_EQ(0, write_file("/proc/sys/vm/drop_caches", "3"));
	self->live = live_buffers();
	self->killed = read_number("/proc/vmstat", "oom_kill");
	self->before = free_mib();
}

FIXTURE_TEARDOWN(pressure)
{
	EXPECT_EQ(self->killed, read_number("/proc/vmstat", "oom_kill"));
	EXPECT_GE(free_mib(), self->before - 8);
	EXPECT_EQ(self->live, live_buffers());
	EXPECT_EQ(0, write_file(POOL_MIB, "%ld", self->pool));
	EXPECT_EQ(0, write_file(PCP_LISTS, "0"));
	close(self->dev);
}

/* Refused at sight: nothing is allocated to find out. */
TEST_F(pressure, length_beyond_memory)
{
	const __u64 lens[] = {
		total_ram() + PAGE, 1ULL << 46, 1ULL << 62, 1ULL << 63, ~0ULL - 4095,
	};
	double start = now();

	for (int i = 0; i < ARRAY_SIZE(lens); i++) {
		EXPECT_EQ(-ENOMEM, alloc_from(self->dev, lens[i], O_RDWR)) {
			TH_LOG("length %llx", lens[i]);
		}
	}
	EXPECT_LT(now() - start, 2.0);
}

/*
 * As much as the machine has, which is more than is free: refused in the end,
 * with everything given back and nobody killed for it.
 */
TEST_F_TIMEOUT(pressure, more_than_is_free, 480)
{
	double start = now();

	EXPECT_EQ(-ENOMEM, alloc_from(self->dev, total_ram() - PMD, O_RDWR));
	TH_LOG("refused after %.1f s", now() - start);
}

/* A task that is killed does not allocate to the end first. */
TEST_F(pressure, killed_while_allocating)
{
	long want = self->before * 3 / 4, least = self->before;
	int status = 0;
	pid_t pid;

	pid = fork();
	if (!pid) {
		alloc_from(self->dev, want * MIB, O_RDWR);
		_exit(0);
	}
	ASSERT_GT(pid, 0);
	/* A quarter of what it wants is gone: it is in the middle now. */
	while (self->before - least < want / 4 && !waitpid(pid, &status, WNOHANG))
		least = free_mib();
	ASSERT_EQ(0, kill(pid, SIGKILL));
	while (!waitpid(pid, &status, WNOHANG)) {
		long left = free_mib();

		least = left < least ? left : least;
	}
	EXPECT_TRUE(WIFSIGNALED(status));
	TH_LOG("%ld MiB of %ld were allocated", self->before - least, want);
	EXPECT_LT(self->before - least, want * 3 / 4);
}

/* Extents of the first buffer in the live table. */
static long live_extents(void)
{
	FILE *f = fopen("/sys/kernel/debug/dma_buf_exporter/buffers", "re");
	long n = -1;

	if (f && fscanf(f, "%*[^\n] %*s %*s %*s %*s %*s %*s %ld", &n) != 1)
		n = -1;
	if (f)
		fclose(f);
	return n;
}

/* Hardly two free pages side by side: the buffer is made of single ones. */
TEST_F_TIMEOUT(pressure, fragmented, 480)
{
	/* Each node keeps something for itself, and less than the buffer wants. */
	size_t want = 192 * MIB, all = (free_mib() - 160) * MIB;
	char *holes, *p;
	int fd;

	if ((long)all < 4 * want)
		SKIP(return, "%lu MiB of free memory", (4 * want + 160 * MIB) / MIB);
	holes = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, holes);
	madvise(holes, all, MADV_NOHUGEPAGE);
	/* Nobody may move the pages together again. */
	ASSERT_EQ(0, write_file(COMPACT_LOCKED, "0"));
	ASSERT_EQ(0, write_file(BOOST, "0"));
	ASSERT_EQ(0, mlock(holes, all));
	for (size_t at = 0; at < all; at += 2 * PAGE)
		ASSERT_EQ(0, madvise(holes + at, PAGE, MADV_DONTNEED_LOCKED));

	fd = alloc_from(self->dev, want, O_RDWR);
	ASSERT_GE(fd, 0);
	TH_LOG("%ld extents", live_extents());
	EXPECT_GT(live_extents(), 1024);
	p = map(fd, want);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_TRUE(is_filled(p, 0, want));
	for (size_t at = 0; at < want; at += PAGE)
		*(size_t *)(p + at) = at;
	for (size_t at = 0; at < want; at += PAGE)
		ASSERT_EQ(at, *(size_t *)(p + at));
	munmap(p, want);
	close(fd);
	munmap(holes, all);
	EXPECT_EQ(0, write_file(COMPACT_LOCKED, "1"));
	EXPECT_EQ(0, write_file(BOOST, "15000"));
}

/* Who pays: a memory cgroup, if the administrator said so. */
FIXTURE(memcg) {
	int dev;
	int live;
	bool reloaded;
};

FIXTURE_VARIANT(memcg) {
	bool account;
};

FIXTURE_VARIANT_ADD(memcg, accounting) {
	.account = true,
};

FIXTURE_VARIANT_ADD(memcg, no_accounting) {
	.account = false,
};

static int reload(bool account)
{
	return system(account ? "rmmod pfnmap_heap && modprobe pfnmap_heap mem_accounting=1" :
				"rmmod pfnmap_heap && modprobe pfnmap_heap mem_accounting=0");
}

FIXTURE_SETUP(memcg)
{
	if (access(CGROUPS "/cgroup.subtree_control", W_OK))
		SKIP(return, "no cgroup v2 at " CGROUPS);
	if (write_file(CGROUPS "/cgroup.subtree_control", "+memory"))
		SKIP(return, "no memory controller");
	if (read_bool(CORE_ACCOUNTING) >= 0) {
		if (read_bool(CORE_ACCOUNTING) != variant->account)
			SKIP(return, "kernel booted without dma_heap.mem_accounting=%d",
			     variant->account);
	} else if (read_bool(OWN_ACCOUNTING) != variant->account) {
		ASSERT_EQ(0, reload(variant->account));
		self->reloaded = true;
	}
	self->live = live_buffers();
	ASSERT_EQ(0, write_file(PCP_LISTS, "1000000"));
	ASSERT_EQ(0, write_file("/proc/sys/vm/drop_caches", "3"));

	self->dev = open("/dev/dma_heap/pfnmap", O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->dev, 0);
	ASSERT_EQ(0, mkdir(CGROUP, 0755));
	ASSERT_EQ(0, write_file(CGROUP "/cgroup.procs", "%d", getpid()));
}

FIXTURE_TEARDOWN(memcg)
{
	close(self->dev);
	EXPECT_EQ(0, write_file(CGROUPS "/cgroup.procs", "%d", getpid()));
	EXPECT_EQ(0, rmdir(CGROUP));
	EXPECT_EQ(0, write_file(PCP_LISTS, "0"));
	EXPECT_EQ(self->live, live_buffers());
	if (self->reloaded)
		EXPECT_EQ(0, reload(!variant->account));
}

static long charged_mib(void)
{
	return read_number(CGROUP "/memory.current", NULL) / (long)MIB;
}

TEST_F(memcg, charged_while_it_lives)
{
	long before = charged_mib(), rise;
	int fd = alloc_from(self->dev, 48 * MIB, O_RDWR);
	char *p;

	ASSERT_GE(fd, 0);
	rise = charged_mib() - before;
	EXPECT_GE(rise, variant->account ? 46 : 0);
	EXPECT_LE(rise, variant->account ? 52 : 2);

	/* By whoever allocated it, as long as it lives. */
	p = map(fd, 48 * MIB);
	ASSERT_NE(MAP_FAILED, p);
	close(fd);
	memset(p, 1, 48 * MIB);
	rise = charged_mib() - before;
	EXPECT_GE(rise, variant->account ? 46 : 0);
	EXPECT_LE(rise, variant->account ? 52 : 2);
	munmap(p, 48 * MIB);
	EXPECT_LE(charged_mib() - before, 2);
}

TEST_F(memcg, limit)
{
	long killed = read_number("/proc/vmstat", "oom_kill");
	long before = charged_mib();
	int fd;

	ASSERT_EQ(0, write_file(CGROUP "/memory.max", "16M"));
	fd = alloc_from(self->dev, 64 * MIB, O_RDWR);
	if (variant->account) {
		EXPECT_EQ(-ENOMEM, fd);
		/* What fits is still to be had. */
		fd = alloc_from(self->dev, 8 * MIB, O_RDWR);
	}
	EXPECT_GE(fd, 0);
	close(fd);
	EXPECT_LE(charged_mib() - before, 2);
	EXPECT_EQ(killed, read_number("/proc/vmstat", "oom_kill"));
	EXPECT_EQ(0, read_number(CGROUP "/memory.events", "oom_kill"));
}

/* A move is charged to whoever asks for it, and to nobody else any more. */
TEST_F(memcg, moved)
{
	int control = control_open(), pid = getpid();
	struct dma_buf_exporter_info info;
	long before = charged_mib(), rise;
	struct controlled buf;

	ASSERT_EQ(0, control_alloc(control, "pfnmap", NULL, 32 * MIB, &buf));
	ASSERT_EQ(0, write_file(CGROUPS "/cgroup.procs", "%d", pid));
	ASSERT_EQ(0, control_move(buf.control, "node0", DMA_BUF_EXPORTER_WAIT, 0));
	EXPECT_LE(charged_mib() - before, 2);

	ASSERT_EQ(0, write_file(CGROUP "/cgroup.procs", "%d", pid));
	ASSERT_EQ(0, control_move(buf.control, "system", DMA_BUF_EXPORTER_WAIT, 0));
	rise = charged_mib() - before;
	EXPECT_GE(rise, variant->account ? 30 : 0);
	EXPECT_LE(rise, variant->account ? 36 : 2);

	/* There must be room for both places: without, it stays where it was. */
	ASSERT_EQ(0, write_file(CGROUP "/memory.max", "48M"));
	EXPECT_EQ(variant->account ? -ENOMEM : 0,
		  control_move(buf.control, "node0", DMA_BUF_EXPORTER_WAIT, 0));
	ASSERT_EQ(0, control_info(buf.control, &info));
	EXPECT_STREQ(variant->account ? "system" : "node0", info.placement);
	EXPECT_LE(charged_mib() - before, rise + 2);
	control_free(&buf);
	close(control);
	EXPECT_LE(charged_mib() - before, 2);
}

/* A page in the pool would stay charged to its first owner. */
TEST_F(memcg, charged_memory_is_not_pooled)
{
	long kept = kept_of_128(self->dev, variant->account ? 0 : 64);

	TH_LOG("%ld MiB kept of 128", kept);
	EXPECT_LE(kept, variant->account ? 6 : 64 + 6);
	EXPECT_GE(kept, variant->account ? -6 : 64 - 6);
}

TEST_HARNESS_MAIN
