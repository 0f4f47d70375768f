// SPDX-License-Identifier: GPL-2.0
/*
 * madvise() with every advice there is, and with the numbers next to them. Some
 * throw pages away, some take them; all must leave the data as it was.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "gup_surface.h"

#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif

static struct result advise(struct cell *c)
{
	if (madvise(c->map, c->size, c->arg))
		return refused(errno);
	/* KSM takes the advice without a word where it cannot follow it. */
	if (c->arg == MADV_MERGEABLE && vma_flag(c->map, "mg"))
		return odd("mergeable");
	return works();
}

/* These would lose memory for good, so only where GUP is known to fail. */
static struct result offline(struct cell *c)
{
	if (!gup_refused(c->map))
		return skipped("would take a page out of service");
	return madvise(c->map, 4096, c->arg) ? refused(errno) : odd("offlined");
}

static struct result advise_process(struct cell *c)
{
	struct iovec iov = { c->map, c->size };
	int pidfd = pidfd_open(getpid(), 0);

	return syscall(SYS_process_madvise, pidfd, &iov, 1, c->arg, 0) < 0 ?
		refused(errno) : works();
}

/* Guards leave holes that a fault turns into SIGSEGV: take them away again. */
static struct result guard(struct cell *c)
{
	if (madvise(c->map, c->size, MADV_GUARD_INSTALL))
		return refused(errno);
	madvise(c->map, c->size, MADV_GUARD_REMOVE);
	return odd("guarded");
}

#define ACCEPTED(advice) { #advice, advise, MADV_##advice, .expect = EXPECT_WORKS }
#define INVALID(advice) { #advice, advise, MADV_##advice, .expect = EXPECT_REFUSED(EINVAL) }
#define NO_ADVICE(nr) { #nr " (no advice)", advise, nr, .expect = EXPECT_REFUSED(EINVAL) }

static const struct user users[] = {
	ACCEPTED(NORMAL),
	ACCEPTED(RANDOM),
	ACCEPTED(SEQUENTIAL),
	ACCEPTED(WILLNEED),
	INVALID(DONTNEED),
	NO_ADVICE(5),
	NO_ADVICE(6),
	NO_ADVICE(7),
	INVALID(FREE),
	/* vfs_fallocate() wants a regular file, which a dma-buf is not. */
	{ "REMOVE", advise, MADV_REMOVE, .expect = EXPECT_REFUSED(ENODEV) },
	ACCEPTED(DONTFORK),
	/* Drivers' mappings may be kept from a child, not given to it. */
	INVALID(DOFORK),
	ACCEPTED(MERGEABLE),
	ACCEPTED(UNMERGEABLE),
	/* Flags of the area; no huge page comes of them. */
	ACCEPTED(HUGEPAGE),
	ACCEPTED(NOHUGEPAGE),
	ACCEPTED(DONTDUMP),
	INVALID(DODUMP),
	INVALID(WIPEONFORK),
	ACCEPTED(KEEPONFORK),
	INVALID(COLD),
	INVALID(PAGEOUT),
	INVALID(POPULATE_READ),
	INVALID(POPULATE_WRITE),
	INVALID(DONTNEED_LOCKED),
	INVALID(COLLAPSE),
	NO_ADVICE(26),
	{ "HWPOISON", offline, MADV_HWPOISON, .expect = EXPECT_REFUSED(EFAULT) },
	{ "SOFT_OFFLINE", offline, MADV_SOFT_OFFLINE, .expect = EXPECT_REFUSED(EFAULT) },
	{ "GUARD_INSTALL", guard, .expect = EXPECT_REFUSED(EINVAL) },
	INVALID(GUARD_REMOVE),
	{ "process_madvise COLD", advise_process, MADV_COLD,
	  .expect = EXPECT_REFUSED(EINVAL) },
	{ "process_madvise PAGEOUT", advise_process, MADV_PAGEOUT,
	  .expect = EXPECT_REFUSED(EINVAL) },
	{ "process_madvise COLLAPSE", advise_process, MADV_COLLAPSE,
	  .expect = EXPECT_REFUSED(EINVAL) },
};

const struct family madvise_family = {
	.name = "madvise",
	.users = users,
	.nr = ARRAY_SIZE(users),
};
