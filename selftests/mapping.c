// SPDX-License-Identifier: GPL-2.0
/*
 * The rules of a mapping of a dma-buf of ours: what it is made of, what is
 * refused when it is made, and what nobody can make of it later.
 */
#include <sys/wait.h>

#include "util.h"
#include "harness.h"

#define SIZE	(8 * PMD)

FIXTURE(mapping) {
	int fd;
	char *map;
};

FIXTURE_SETUP(mapping)
{
	self->fd = pfnmap_alloc(SIZE);
	ASSERT_GE(self->fd, 0);
	self->map = mmap(reserve(SIZE, 0), SIZE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, self->fd, 0);
	ASSERT_NE(self->map, MAP_FAILED);
}

FIXTURE_TEARDOWN(mapping)
{
	munmap(self->map, SIZE);
	close(self->fd);
}

TEST_F(mapping, vma_flags)
{
	struct pfnmap_probe p = probe(self->map);

	EXPECT_TRUE(p.vm_flags & PFNMAP_PROBE_VM_PFNMAP);
	EXPECT_TRUE(p.vm_flags & PFNMAP_PROBE_VM_IO);
	EXPECT_TRUE(p.vm_flags & PFNMAP_PROBE_VM_DONTEXPAND);
	EXPECT_TRUE(p.vm_flags & PFNMAP_PROBE_VM_DONTDUMP);
	EXPECT_FALSE(p.vm_flags & PFNMAP_PROBE_VM_MIXEDMAP);
	EXPECT_EQ(PFNMAP_PROBE_NONE, p.level);
}

/* Every single page: present, special, and the right kind of entry. */
TEST_F(mapping, all_entries_special)
{
	for (size_t off = 0; off < SIZE; off += PAGE) {
		struct pfnmap_probe p;

		self->map[off] = 1;
		p = probe(self->map + off);
		ASSERT_NE(PFNMAP_PROBE_NONE, p.level) {
			TH_LOG("offset %zx", off);
		}
		ASSERT_EQ(1, p.special) {
			TH_LOG("offset %zx", off);
		}
		ASSERT_EQ(1, p.writable) {
			TH_LOG("offset %zx", off);
		}
		ASSERT_EQ(PFNMAP_PROBE_WB, p.cache);
		/* A reference of its own for each page, and nobody else's. */
		ASSERT_EQ(1, p.refcount) {
			TH_LOG("offset %zx", off);
		}
	}
}

TEST_F(mapping, misaligned_entries_special)
{
	char *at = reserve(SIZE, PAGE);
	char *map = mmap(at, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			 self->fd, 0);

	ASSERT_EQ(at, map);
	for (size_t off = 0; off < SIZE; off += PAGE) {
		struct pfnmap_probe p;

		map[off] = 1;
		p = probe(map + off);
		ASSERT_EQ(PFNMAP_PROBE_PTE, p.level) {
			TH_LOG("offset %zx", off);
		}
		ASSERT_EQ(1, p.special) {
			TH_LOG("offset %zx", off);
		}
		ASSERT_EQ(1, p.writable);
	}
	munmap(map, SIZE);
}

/* A read leaves an entry that KVM can write through, too. */
TEST_F(mapping, read_fault_writable)
{
	EXPECT_EQ(0, peek(self->map + PMD));
	EXPECT_EQ(1, probe(self->map + PMD).writable);
}

TEST_F(mapping, private_refused)
{
	EXPECT_EQ(MAP_FAILED, mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE,
				   self->fd, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, SIZE, PROT_READ, MAP_PRIVATE, self->fd, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE, self->fd, 0));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(mapping, exec_refused)
{
	EXPECT_EQ(MAP_FAILED, mmap(NULL, SIZE, PROT_READ | PROT_EXEC, MAP_SHARED,
				   self->fd, 0));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(-1, mprotect(self->map, SIZE, PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
}

TEST_F(mapping, range_checked)
{
	static const struct {
		size_t len;
		off_t off;
	} bad[] = {
		{ SIZE + PAGE, 0 }, { PAGE, SIZE }, { 2 * PAGE, SIZE - PAGE },
		{ PAGE, (off_t)1 << 40 }, { PAGE, INT64_MAX & ~(PAGE - 1) },
		{ SIZE, PAGE },
	};

	for (int i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(MAP_FAILED, mmap(NULL, bad[i].len, PROT_READ, MAP_SHARED,
					   self->fd, bad[i].off));
		EXPECT_TRUE(errno == EINVAL || errno == EOVERFLOW) {
			TH_LOG("case %d: errno %d", i, errno);
		}
	}
}

TEST_F(mapping, offset)
{
	char *tail = mmap(NULL, PMD, PROT_READ | PROT_WRITE, MAP_SHARED, self->fd,
			  3 * PMD + PAGE);

	ASSERT_NE(MAP_FAILED, tail);
	self->map[3 * PMD + PAGE] = 42;
	self->map[4 * PMD] = 43;
	EXPECT_EQ(42, tail[0]);
	EXPECT_EQ(43, tail[PMD - PAGE]);
	EXPECT_EQ(probe(self->map + 4 * PMD).pfn, probe(tail + PMD - PAGE).pfn);
	munmap(tail, PMD);
}

TEST_F(mapping, mremap_moves_shrinks_never_grows)
{
	char *to = reserve(SIZE, PAGE);
	char *moved;

	memset(self->map, 7, SIZE);
	EXPECT_EQ(MAP_FAILED, mremap(self->map, SIZE, SIZE + PAGE, MREMAP_MAYMOVE));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(MAP_FAILED, mremap(self->map, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
	EXPECT_EQ(EFAULT, errno);

	EXPECT_EQ(self->map, mremap(self->map, SIZE, SIZE - PAGE, 0));
	moved = mremap(self->map, SIZE - PAGE, SIZE - PAGE,
		       MREMAP_MAYMOVE | MREMAP_FIXED, to);
	ASSERT_EQ(to, moved);
	for (size_t off = 0; off < SIZE - PAGE; off += PAGE) {
		ASSERT_EQ(7, moved[off]);
		ASSERT_EQ(1, probe(moved + off).special);
	}
	moved = mremap(moved, SIZE - PAGE, SIZE - PAGE,
		       MREMAP_MAYMOVE | MREMAP_FIXED, self->map);
	ASSERT_EQ(self->map, moved);
}

TEST_F(mapping, partial_munmap_splits)
{
	self->map[0] = 1;
	self->map[2 * PAGE] = 3;
	ASSERT_EQ(PFNMAP_PROBE_HUGE, probe(self->map).level);

	ASSERT_EQ(0, munmap(self->map + PAGE, PAGE));
	EXPECT_EQ(1, self->map[0]);
	EXPECT_EQ(3, self->map[2 * PAGE]);
	EXPECT_EQ(PFNMAP_PROBE_PTE, probe(self->map).level);
	EXPECT_EQ(1, probe(self->map).special);
	EXPECT_EQ(1, probe(self->map + 2 * PAGE).special);
	EXPECT_EQ(2, probe(self->map + 2 * PAGE).pfn - probe(self->map).pfn);
	/* The neighbouring PMD does not notice. */
	self->map[PMD] = 5;
	EXPECT_EQ(PFNMAP_PROBE_HUGE, probe(self->map + PMD).level);
}

TEST_F(mapping, mprotect_and_back)
{
	self->map[0] = 1;
	ASSERT_EQ(0, mprotect(self->map, PAGE, PROT_READ));
	EXPECT_EQ(1, self->map[0]);
	EXPECT_EQ(0, probe(self->map).writable);
	EXPECT_EQ(1, probe(self->map).special);
	ASSERT_EQ(0, mprotect(self->map, PAGE, PROT_READ | PROT_WRITE));
	self->map[0] = 2;
	EXPECT_EQ(1, probe(self->map).special);
	ASSERT_EQ(0, mprotect(self->map, SIZE, PROT_NONE));
	ASSERT_EQ(0, mprotect(self->map, SIZE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(2, self->map[0]);
	EXPECT_EQ(1, probe(self->map).special);
}

TEST_F(mapping, fork_shares)
{
	int status;
	pid_t pid;

	self->map[0] = 1;
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		struct pfnmap_probe p = probe(self->map);

		/* Nothing was copied: a move could miss the copy. */
		if (p.level != PFNMAP_PROBE_NONE)
			_exit(1);
		self->map[0] = 2;
		self->map[5 * PMD] = 3;
		p = probe(self->map);
		_exit(p.level != PFNMAP_PROBE_HUGE || !p.special || !p.writable);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(2, self->map[0]);
	EXPECT_EQ(3, self->map[5 * PMD]);
}

/* The mapping keeps the buffer, not the file descriptor. */
TEST_F(mapping, outlives_fd)
{
	int before = live_buffers();

	close(self->fd);
	self->map[PMD] = 9;
	EXPECT_EQ(9, self->map[PMD]);
	EXPECT_EQ(before, live_buffers());
}

static size_t vma_field(const char *map, const char *key, char *line, size_t size)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long start, end;
	bool inside = false;
	size_t kib = ~0UL;

	while (fgets(line, size, f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2) {
			inside = (uintptr_t)map >= start && (uintptr_t)map < end;
		} else if (inside && !strncmp(line, key, strlen(key))) {
			kib = strtoul(line + strlen(key), NULL, 10);
			break;
		}
	}
	fclose(f);
	return kib;
}

/* The memory is the exporter's, not this process's. */
TEST_F(mapping, smaps)
{
	static const char * const zero[] = { "Rss:", "Pss:", "Shared_Dirty:", "Locked:" };
	static const char * const flags[] = { " pf ", " io ", " de ", " dd " };
	char line[512];

	memset(self->map, 1, SIZE);
	for (int i = 0; i < ARRAY_SIZE(zero); i++) {
		EXPECT_EQ(0, vma_field(self->map, zero[i], line, sizeof(line))) {
			TH_LOG("%s", zero[i]);
		}
	}
	vma_field(self->map, "VmFlags:", line, sizeof(line));
	for (int i = 0; i < ARRAY_SIZE(flags); i++) {
		EXPECT_NE(NULL, strstr(line, flags[i])) {
			TH_LOG("%s in %s", flags[i], line);
		}
	}
}

/* A core dump of a process that maps 16 MiB of a buffer has none of it. */
TEST_F(mapping, core_dump)
{
	char core[] = "/tmp/core-XXXXXX", pattern[128] = "", path[128];
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	static const char secret[] = "not in a core dump";
	int fd = open("/proc/sys/kernel/core_pattern", O_RDWR);
	int status, dump;
	char *mem;
	pid_t pid;
	off_t len;

	ASSERT_NE(NULL, mkdtemp(core));
	ASSERT_GT(read(fd, pattern, sizeof(pattern) - 1), 0);
	snprintf(path, sizeof(path), "%s/core", core);
	ASSERT_GT(pwrite(fd, path, strlen(path), 0), 0);

	memcpy(self->map + PMD, secret, sizeof(secret));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		setrlimit(RLIMIT_CORE, &unlimited);
		abort();
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_GT(pwrite(fd, pattern, strlen(pattern), 0), 0);
	close(fd);
	EXPECT_TRUE(WCOREDUMP(status));

	dump = open(path, O_RDONLY);
	ASSERT_GE(dump, 0);
	len = lseek(dump, 0, SEEK_END);
	EXPECT_LT(len, SIZE);
	mem = mmap(NULL, len, PROT_READ, MAP_PRIVATE, dump, 0);
	ASSERT_NE(MAP_FAILED, mem);
	/* This string is in the program too: look for page-aligned ones. */
	for (off_t off = 0; off + (off_t)sizeof(secret) < len; off += PAGE)
		EXPECT_NE(0, memcmp(mem + off, secret, sizeof(secret)));
	munmap(mem, len);
	close(dump);
	unlink(path);
	rmdir(core);
}

FIXTURE(readonly) {
	int fd;
};

FIXTURE_SETUP(readonly)
{
	self->fd = heap_alloc("pfnmap", PMD, O_RDONLY | O_CLOEXEC);
	ASSERT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN(readonly)
{
	close(self->fd);
}

TEST_F(readonly, never_writable)
{
	char *map;

	EXPECT_EQ(MAP_FAILED, mmap(NULL, PMD, PROT_READ | PROT_WRITE, MAP_SHARED,
				   self->fd, 0));
	EXPECT_EQ(EACCES, errno);
	map = mmap(NULL, PMD, PROT_READ, MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(0, peek(map));
	EXPECT_EQ(0, probe(map).writable);
	EXPECT_EQ(1, probe(map).special);
	EXPECT_EQ(-1, mprotect(map, PMD, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	munmap(map, PMD);
}

/* ptrace forces its way through private mappings; not through this one. */
TEST_F(readonly, proc_mem)
{
	char *map = mmap(NULL, PMD, PROT_READ, MAP_SHARED, self->fd, 0);
	int mem = open("/proc/self/mem", O_RDWR);
	char c = 1;

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_GE(mem, 0);
	EXPECT_EQ(1, pread(mem, &c, 1, (uintptr_t)map));
	EXPECT_EQ(0, c);
	c = 1;
	EXPECT_EQ(-1, pwrite(mem, &c, 1, (uintptr_t)map));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(0, map[0]);
	close(mem);
	munmap(map, PMD);
}

TEST_HARNESS_MAIN
