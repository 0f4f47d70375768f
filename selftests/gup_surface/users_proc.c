// SPDX-License-Identifier: GPL-2.0
/*
 * Access from another process. process_vm_readv() takes pages; ptrace and
 * /proc/PID/mem do as well, but fall back to the exporter's vm_ops->access,
 * so they have to work. /proc/PID/pagemap and smaps must know of no page.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gup_surface.h"

#define PAGEMAP "/proc/self/pagemap"
#define PM_PRESENT 0x8000000000000000ULL

/*
 * A process with the mapping at the same address, and faulted in. It is killed
 * with the process group of the cell.
 */
static pid_t owner(struct cell *c)
{
	int ready[2];
	char byte;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC))
		abort();
	pid = fork();
	if (!pid) {
		pattern_fill(c->map, c->size);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	if (read(ready[0], &byte, 1) != 1)
		abort();
	return pid;
}

static struct result vm_readv(struct cell *c)
{
	void *copy = anon_buffer(WINDOW);
	struct iovec local = { copy, WINDOW }, remote = { c->map, WINDOW };

	if (process_vm_readv(owner(c), &local, 1, &remote, 1, 0) != (ssize_t)WINDOW)
		return refused(errno);
	return pattern_window_ok(copy, WINDOW) ? taken() : odd("wrong data");
}

static struct result vm_writev(struct cell *c)
{
	void *data = anon_buffer(WINDOW);
	struct iovec local = { data, WINDOW }, remote = { c->map, WINDOW };

	inverse_fill(data, WINDOW);
	if (process_vm_writev(owner(c), &local, 1, &remote, 1, 0) != (ssize_t)WINDOW)
		return refused(errno);
	return inverse_ok(c->map, WINDOW) ? taken() : odd("wrong data");
}

/* The side of the caller is copied to, like any buffer. */
static struct result vm_local(struct cell *c)
{
	void *data = anon_buffer(WINDOW);
	struct iovec local = { c->map, WINDOW }, remote = { data, WINDOW };
	pid_t pid;

	inverse_fill(data, WINDOW);
	pid = owner(c);
	if (process_vm_readv(pid, &local, 1, &remote, 1, 0) != (ssize_t)WINDOW)
		return refused(errno);
	return inverse_ok(c->map, WINDOW) ? works() : odd("wrong data");
}

static struct result ptrace_access(struct cell *c)
{
	long *word = (long *)c->map;
	pid_t pid = owner(c);
	long value;
	int status;

	if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) || waitpid(pid, &status, 0) != pid)
		return skipped("no ptrace: %s", strerrorname_np(errno));
	errno = 0;
	value = ptrace(PTRACE_PEEKDATA, pid, c->map, NULL);
	if (errno)
		return refused(errno);
	if (value != *word)
		return odd("wrong data");
	if (ptrace(PTRACE_POKEDATA, pid, c->map, ~value))
		return refused(errno);
	return __atomic_load_n(word, __ATOMIC_RELAXED) == ~value ? works() : odd("wrong data");
}

static struct result proc_mem(struct cell *c)
{
	void *copy = anon_buffer(WINDOW);
	off_t at = (unsigned long)c->map;
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", owner(c));
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return skipped("no %s", path);
	if (c->arg == O_RDONLY) {
		if (pread(fd, copy, WINDOW, at) != (ssize_t)WINDOW)
			return refused(errno);
		return pattern_window_ok(copy, WINDOW) ? works() : odd("wrong data");
	}
	inverse_fill(copy, WINDOW);
	if (pwrite(fd, copy, WINDOW, at) != (ssize_t)WINDOW)
		return refused(errno);
	return inverse_ok(c->map, WINDOW) ? works() : odd("wrong data");
}

/* To the page walk of pagemap a VM_PFNMAP area is a hole. */
static struct result pagemap_hole(struct cell *c)
{
	__u64 entry[WINDOW / 4096];
	int fd = open(PAGEMAP, O_RDONLY | O_CLOEXEC);
	unsigned int i;

	if (pread(fd, entry, sizeof(entry), (unsigned long)c->map / 4096 * 8) != sizeof(entry))
		return skipped("no /proc/PID/pagemap");
	for (i = 0; i < ARRAY_SIZE(entry); i++)
		if (entry[i] & PM_PRESENT)
			return odd("present");
	return works();
}

/* The scan passes over VM_PFNMAP areas. */
static struct result pagemap_scan(struct cell *c)
{
	struct page_region regions[4];
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.start = (unsigned long)c->map,
		.end = (unsigned long)c->map + c->size,
		.vec = (unsigned long)regions,
		.vec_len = ARRAY_SIZE(regions),
		.category_mask = PAGE_IS_PRESENT,
		.return_mask = PAGE_IS_PRESENT,
	};
	int fd = open(PAGEMAP, O_RDONLY | O_CLOEXEC);
	int n = ioctl(fd, PAGEMAP_SCAN, &arg);

	if (n < 0)
		return skipped("no PAGEMAP_SCAN: %s", strerrorname_np(errno));
	return n ? odd("listed") : works();
}

static struct result smaps_rss(struct cell *c)
{
	long rss = vma_rss(c->map);

	return rss ? odd("Rss %ldK", rss) : works();
}

static struct result smaps_flags(struct cell *c)
{
	static const char *const want[] = { "pf", "io", "de", "dd" };
	char lacks[40] = "";
	size_t len = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(want); i++)
		if (!vma_flag(c->map, want[i]))
			len += snprintf(lacks + len, sizeof(lacks) - len, " %s", want[i]);
	if (len)
		return odd("no%s", lacks);
	return vma_flag(c->map, "mm") ? odd("mixedmap") : works();
}

static const struct user users[] = {
	{ "process_vm_readv", vm_readv, .expect = EXPECT_REFUSED(EFAULT) },
	{ "process_vm_writev", vm_writev, .flags = USER_CHANGES_DATA,
	  .expect = EXPECT_REFUSED(EFAULT) },
	{ "process_vm_readv into it", vm_local, .flags = USER_CHANGES_DATA,
	  .expect = EXPECT_WORKS },
	{ "ptrace PEEK, POKE", ptrace_access, .flags = USER_CHANGES_DATA,
	  .expect = EXPECT_WORKS },
	{ "/proc/PID/mem read", proc_mem, O_RDONLY, .expect = EXPECT_WORKS },
	{ "/proc/PID/mem write", proc_mem, O_WRONLY, USER_CHANGES_DATA, EXPECT_WORKS },
	{ "pagemap: a hole", pagemap_hole, .expect = EXPECT_WORKS },
	{ "PAGEMAP_SCAN: not listed", pagemap_scan, .expect = EXPECT_WORKS },
	{ "smaps: Rss 0", smaps_rss, .expect = EXPECT_WORKS },
	{ "smaps: pf io de dd", smaps_flags, .expect = EXPECT_WORKS },
};

const struct family proc_family = {
	.name = "other processes",
	.users = users,
	.nr = ARRAY_SIZE(users),
};
