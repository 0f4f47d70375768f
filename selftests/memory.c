// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of every kind, through the dma-buf and through the driver's node: what
 * page faults leave behind, and what ptrace sees.
 */
#include <linux/mempolicy.h>

#include "util.h"
#include "harness.h"

enum { WB, WC, UC };

static int et_alloc(int et, struct et_alloc *how)
{
	how->fd_flags |= O_CLOEXEC;
	return ioctl(et, ET_ALLOC, how);
}

FIXTURE(memory) {
	int et;
	struct et_alloc how;
	size_t size;
};

FIXTURE_VARIANT(memory) {
	unsigned int kind;
	unsigned int caching;
	unsigned int chunk;
	bool node;
	bool lazy;
};

FIXTURE_VARIANT_ADD(memory, pages) { .kind = ET_PAGES };
FIXTURE_VARIANT_ADD(memory, pages_lazy) { .kind = ET_PAGES, .lazy = true };
FIXTURE_VARIANT_ADD(memory, pages_single) { .kind = ET_PAGES, .chunk = 1 };
FIXTURE_VARIANT_ADD(memory, pages_wc) { .kind = ET_PAGES, .caching = WC };
FIXTURE_VARIANT_ADD(memory, pages_node) { .kind = ET_PAGES, .node = true };
FIXTURE_VARIANT_ADD(memory, unpaged) { .kind = ET_UNPAGED };
FIXTURE_VARIANT_ADD(memory, unpaged_chunks) { .kind = ET_UNPAGED, .chunk = 3 };
FIXTURE_VARIANT_ADD(memory, unpaged_node) { .kind = ET_UNPAGED, .node = true };
FIXTURE_VARIANT_ADD(memory, io) { .kind = ET_IO, .caching = UC };
FIXTURE_VARIANT_ADD(memory, io_wc) { .kind = ET_IO, .caching = WC };
FIXTURE_VARIANT_ADD(memory, io_chunks) { .kind = ET_IO, .caching = UC, .chunk = 512 };

FIXTURE_SETUP(memory)
{
	self->et = et_open();
	ASSERT_GE(self->et, 0);
	self->size = 3 * PMD;
	self->how = (struct et_alloc) {
		.size = self->size,
		.kind = variant->kind,
		.caching = variant->caching,
		.chunk = variant->chunk,
		.flags = (variant->lazy ? ET_LAZY : 0) | (variant->node ? ET_NO_EXPORT : 0),
		.fd_flags = O_RDWR,
	};
	if (et_alloc(self->et, &self->how)) {
		if (errno == ENODEV)
			SKIP(return, "no memory of this kind in this machine");
		ASSERT_EQ(0, errno);
	}
}

FIXTURE_TEARDOWN(memory)
{
	if (self->how.id) {
		EXPECT_EQ(0, ioctl(self->et, ET_FREE, self->how.id));
		if (!variant->node)
			close(self->how.fd);
	}
	close(self->et);
}

static char *memory_mmap(struct _test_data_memory *self, bool node, size_t offset)
{
	return mmap(reserve(self->size, offset), self->size, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED, node ? self->et : self->how.fd,
		    node ? self->how.node_offset : 0);
}

/* Zeroed, special, cached as asked, and the same from every side. */
TEST_F(memory, map)
{
	static const unsigned int cache[] = {
		PFNMAP_PROBE_WB, PFNMAP_PROBE_WC, PFNMAP_PROBE_UC,
	};
	char *map = memory_mmap(self, variant->node, 0);
	char *odd = memory_mmap(self, variant->node, PAGE);
	bool huge = (!variant->chunk || variant->chunk == 512) &&
		    pmd_level(variant->kind == ET_PAGES) == PFNMAP_PROBE_HUGE;

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_NE(MAP_FAILED, odd);
	for (size_t off = 0; off < self->size; off += PAGE) {
		struct pfnmap_probe p, q;

		ASSERT_EQ(0, map[off]) {
			TH_LOG("offset %zx", off);
		}
		map[off] = off >> 12;
		ASSERT_EQ((char)(off >> 12), odd[off]) {
			TH_LOG("offset %zx", off);
		}
		p = probe(map + off);
		q = probe(odd + off);
		ASSERT_EQ(1, p.special);
		ASSERT_EQ(1, q.special);
		ASSERT_EQ(p.pfn, q.pfn) {
			TH_LOG("offset %zx", off);
		}
		ASSERT_EQ(PFNMAP_PROBE_PTE, q.level);
		ASSERT_EQ(huge ? PFNMAP_PROBE_HUGE : PFNMAP_PROBE_PTE, p.level) {
			TH_LOG("offset %zx", off);
		}
		ASSERT_EQ(cache[variant->caching], p.cache) {
			TH_LOG("offset %zx", off);
		}
		ASSERT_EQ(cache[variant->caching], q.cache) {
			TH_LOG("offset %zx", off);
		}
		ASSERT_EQ(variant->kind == ET_PAGES ? 1 : -1, p.refcount);
	}
	munmap(map, self->size);
	munmap(odd, self->size);
}

/*
 * Asking where the pages of a mapping are, as 6.12 does it, ends in a struct page
 * that is not there, if an entry of PMD size has none.
 */
TEST_F(memory, node_policy)
{
	char *map = memory_mmap(self, variant->node, 0);
	unsigned long node = 1;

	ASSERT_NE(MAP_FAILED, map);
	memset(map, 1, self->size);
	for (int flags = MPOL_MF_STRICT; flags <= (MPOL_MF_STRICT | MPOL_MF_MOVE); flags++) {
		int ret = syscall(SYS_mbind, map, self->size, MPOL_BIND, &node, 64, flags);

		if (ret)
			EXPECT_EQ(EIO, errno);
	}
	EXPECT_EQ(1, peek(map));
	EXPECT_EQ(1, peek(map + self->size - 1));
	munmap(map, self->size);
}

TEST_F(memory, proc_mem)
{
	char *map = memory_mmap(self, variant->node, 0);
	int mem = open("/proc/self/mem", O_RDWR);
	char out[3 * PAGE], in[3 * PAGE];

	ASSERT_NE(MAP_FAILED, map);
	for (int i = 0; i < sizeof(out); i++)
		out[i] = i * 7;
	/* Across pages and extents, from the middle of one. */
	ASSERT_EQ(sizeof(out), pwrite(mem, out, sizeof(out), (uintptr_t)map + PMD - 5000));
	EXPECT_EQ(0, memcmp(map + PMD - 5000, out, sizeof(out)));
	ASSERT_EQ(sizeof(in), pread(mem, in, sizeof(in), (uintptr_t)map + PMD - 5000));
	EXPECT_EQ(0, memcmp(in, out, sizeof(in)));
	/* Not past the end of the mapping. */
	munmap(map + self->size, PAGE);
	EXPECT_EQ(100, pread(mem, in, 200, (uintptr_t)map + self->size - 100));
	/* In a mapping of the buffer's tail. */
	munmap(map, PMD - 2 * PAGE);
	memset(in, 0, sizeof(in));
	ASSERT_EQ(sizeof(in), pread(mem, in, sizeof(in), (uintptr_t)map + PMD - 5000));
	EXPECT_EQ(0, memcmp(in, out, sizeof(in)));
	close(mem);
	munmap(map, self->size);
}

TEST_F(memory, range)
{
	off_t base = variant->node ? self->how.node_offset : 0;
	int fd = variant->node ? self->et : self->how.fd;

	EXPECT_EQ(MAP_FAILED, mmap(NULL, self->size + PAGE, PROT_READ, MAP_SHARED, fd, base));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, base + self->size));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, base));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, base));
	EXPECT_EQ(EPERM, errno);
}

/* Memory that never comes is an error of mmap(), not of the first touch. */
TEST(populate_fails)
{
	struct et_alloc how = { .size = PMD, .flags = ET_FAIL_POPULATE, .fd_flags = O_RDWR };
	int et = et_open();

	ASSERT_EQ(0, et_alloc(et, &how));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PMD, PROT_READ, MAP_SHARED, how.fd, 0));
	EXPECT_EQ(ENOMEM, errno);
	ioctl(et, ET_FREE, how.id);
	close(how.fd);
	close(et);
}

TEST_HARNESS_MAIN
