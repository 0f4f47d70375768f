// SPDX-License-Identifier: GPL-2.0
/* Calls that make, lock, move or change mappings. */
#include <errno.h>
#include <linux/prctl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gup_surface.h"

/* The line of /proc/self/smaps that starts with @key, for the area at @addr. */
static bool smaps_line(const void *addr, const char *key, char *line, size_t len)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	unsigned long start, end, at = (unsigned long)addr;
	bool inside = false, found = false;

	if (!f)
		return false;
	while (!found && fgets(line, len, f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = start <= at && at < end;
		found = inside && !strncmp(line, key, strlen(key));
	}
	fclose(f);
	return found;
}

bool vma_flag(const void *addr, const char *flag)
{
	char line[512], *p, *save = NULL;

	if (!smaps_line(addr, "VmFlags:", line, sizeof(line)))
		return false;
	for (p = strtok_r(line + 8, "\n ", &save); p; p = strtok_r(NULL, "\n ", &save))
		if (!strcmp(p, flag))
			return true;
	return false;
}

/* In KiB, -1 if unknown. */
long vma_rss(const void *addr)
{
	char line[512];

	return smaps_line(addr, "Rss:", line, sizeof(line)) ? atol(line + 4) : -1;
}

/* There is nothing to lock: success, and no VM_LOCKED. */
static struct result lock(struct cell *c)
{
	if (mlock2(c->map, c->size, c->arg))
		return refused(errno);
	return vma_flag(c->map, "lo") ? odd("locked") : works();
}

static struct result map_with(struct cell *c, int prot, int flags)
{
	unsigned char *map = mmap(NULL, c->size, prot, flags, c->fd, 0);

	if (map == MAP_FAILED)
		return refused(errno);
	return pattern_window_ok(map, WINDOW) ? works() : odd("wrong data");
}

static struct result map_shared(struct cell *c)
{
	return map_with(c, PROT_READ | PROT_WRITE, MAP_SHARED | (int)c->arg);
}

static struct result map_exec(struct cell *c)
{
	return map_with(c, PROT_READ | PROT_EXEC, MAP_SHARED);
}

static struct result protect_exec(struct cell *c)
{
	if (mprotect(c->map, c->size, PROT_READ | PROT_WRITE | PROT_EXEC))
		return refused(errno);
	return works();
}

static struct result protect_cycle(struct cell *c)
{
	if (mprotect(c->map, c->size, PROT_NONE) ||
	    mprotect(c->map, c->size, PROT_READ) ||
	    !pattern_window_ok(c->map, WINDOW) ||
	    mprotect(c->map, c->size, PROT_READ | PROT_WRITE))
		return odd("failed");
	return works();
}

/* Where it is accepted: is it a copy, also after a fork? */
static struct result map_private(struct cell *c)
{
	unsigned char *map = mmap(NULL, c->size, c->arg, MAP_PRIVATE, c->fd, 0);
	unsigned char *p = map;
	int status;
	pid_t pid;

	if (map == MAP_FAILED)
		return refused(errno);
	if (!pattern_window_ok(map, WINDOW))
		return odd("wrong data");
	if (!(c->arg & PROT_WRITE))
		return odd("accepted");
	*p = ~*p;
	pid = fork();
	if (!pid) {
		*p = ~*p;
		_exit(!pattern_window_ok(map, WINDOW));
	}
	if (pid < 0)
		return odd("fork %s", strerrorname_np(errno));
	waitpid(pid, &status, 0);
	if (!pattern_window_ok(c->map, WINDOW))
		return odd("no copy");
	return status ? odd("torn by fork") : odd("copied");
}

static struct result remap_grow(struct cell *c)
{
	void *map = mremap(c->map, c->size, 2 * c->size, MREMAP_MAYMOVE);

	if (map == MAP_FAILED)
		return refused(errno);
	c->map = map;
	return odd("grown");
}

static struct result remap_duplicate(struct cell *c)
{
	void *map = mremap(c->map, 0, c->size, MREMAP_MAYMOVE);

	return map == MAP_FAILED ? refused(errno) : odd("duplicated");
}

static struct result remap_dontunmap(struct cell *c)
{
	void *map = mremap(c->map, c->size, c->size, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);

	return map == MAP_FAILED ? refused(errno) : odd("accepted");
}

static struct result remap_move(struct cell *c)
{
	void *to = mmap(NULL, c->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *map = mremap(c->map, c->size, c->size, MREMAP_MAYMOVE | MREMAP_FIXED, to);

	if (map == MAP_FAILED)
		return refused(errno);
	c->map = map;
	return works();
}

static struct result memory_merge(struct cell *c)
{
	if (prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0))
		return skipped("no KSM: %s", strerrorname_np(errno));
	return vma_flag(c->map, "mg") ? odd("mergeable") : works();
}

/*
 * Since 7.x the dma-buf mount is noexec: the core refuses the mmap, and a
 * mapping without VM_MAYEXEC cannot be made executable. Before, a conforming
 * exporter gives the same answers itself.
 */
static const struct user users[] = {
	{ "mmap MAP_POPULATE", map_shared, MAP_POPULATE, .expect = EXPECT_WORKS },
	{ "mmap MAP_LOCKED", map_shared, MAP_LOCKED, .expect = EXPECT_WORKS },
	{ "mmap MAP_PRIVATE, read only", map_private, PROT_READ,
	  .expect = EXPECT_REFUSED(EINVAL) },
	{ "mmap MAP_PRIVATE, writable", map_private, PROT_READ | PROT_WRITE,
	  .expect = EXPECT_REFUSED(EINVAL) },
	{ "mmap PROT_EXEC", map_exec, .expect = EXPECT_REFUSED(EPERM) },
	{ "mprotect PROT_EXEC", protect_exec, .expect = EXPECT_REFUSED(EACCES) },
	{ "mprotect none, read, write", protect_cycle, .expect = EXPECT_WORKS },
	{ "mlock", lock, .expect = EXPECT_WORKS },
	{ "mlock2 MLOCK_ONFAULT", lock, MLOCK_ONFAULT, .expect = EXPECT_WORKS },
	{ "mremap, grow", remap_grow, .expect = EXPECT_REFUSED(EFAULT) },
	{ "mremap, duplicate", remap_duplicate, .expect = EXPECT_REFUSED(EFAULT) },
	{ "mremap MREMAP_DONTUNMAP", remap_dontunmap, .expect = EXPECT_REFUSED(EINVAL) },
	{ "mremap, move", remap_move, .expect = EXPECT_WORKS },
	{ "PR_SET_MEMORY_MERGE", memory_merge, .expect = EXPECT_WORKS },
};

const struct family vma_family = {
	.name = "mappings",
	.users = users,
	.nr = ARRAY_SIZE(users),
};
