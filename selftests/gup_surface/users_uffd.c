// SPDX-License-Identifier: GPL-2.0
/* userfaultfd: another's faults on the mapping, and its write protection. */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gup_surface.h"

static int uffd_open(__u64 features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	return fd < 0 || ioctl(fd, UFFDIO_API, &api) ? -1 : fd;
}

static int uffd_register(int fd, struct cell *c, __u64 mode)
{
	struct uffdio_register reg = {
		.range = { (unsigned long)c->map, c->size },
		.mode = mode,
	};

	return ioctl(fd, UFFDIO_REGISTER, &reg);
}

static struct result uffd(struct cell *c)
{
	int fd = uffd_open(c->arg == UFFDIO_REGISTER_MODE_MISSING ? 0 :
			   UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM |
			   UFFD_FEATURE_MINOR_SHMEM | UFFD_FEATURE_MINOR_HUGETLBFS);

	if (fd < 0)
		return skipped("no userfaultfd: %s", strerrorname_np(errno));
	return uffd_register(fd, c, c->arg) ? refused(errno) : odd("registered");
}

/*
 * Asynchronous write protection puts markers into empty entries. A fault
 * handler that wants to see an empty entry may fault for ever: that hangs the
 * cell, and is found by its time limit.
 */
static struct result uffd_wp_async(struct cell *c)
{
	struct uffdio_writeprotect wp = {
		.range = { (unsigned long)c->map, c->size },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	int fd = uffd_open(UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED |
			   UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM);

	if (fd < 0)
		return skipped("no userfaultfd: %s", strerrorname_np(errno));
	if (uffd_register(fd, c, UFFDIO_REGISTER_MODE_WP))
		return refused(errno);
	if (ioctl(fd, UFFDIO_WRITEPROTECT, &wp))
		return odd("no wp: %s", strerrorname_np(errno));
	alarm(3);
	if (!pattern_rest_ok(c->map, c->size))
		return odd("wrong data");
	pattern_fill(c->map, c->size);
	alarm(0);
	return works();
}

/* The source of UFFDIO_COPY is copied from, like any buffer. */
static struct result uffd_copy(struct cell *c)
{
	void *page = anon_buffer(4096);
	struct cell anon = { .map = page, .size = 4096 };
	struct uffdio_copy copy = {
		.dst = (unsigned long)page,
		.src = (unsigned long)c->map,
		.len = 4096,
	};
	int fd = uffd_open(0);

	if (fd < 0 || uffd_register(fd, &anon, UFFDIO_REGISTER_MODE_MISSING))
		return skipped("no userfaultfd: %s", strerrorname_np(errno));
	if (ioctl(fd, UFFDIO_COPY, &copy))
		return refused(errno);
	return pattern_window_ok(page, 4096) ? works() : odd("wrong data");
}

/*
 * Both supported kernels refuse VM_SPECIAL areas whatever the mode; without
 * that check (mainline before it, older stable kernels) WP_ASYNC takes any.
 */
static const struct user users[] = {
	{ "register MISSING", uffd, UFFDIO_REGISTER_MODE_MISSING,
	  .expect = EXPECT_REFUSED(EINVAL) },
	{ "register WP", uffd, UFFDIO_REGISTER_MODE_WP, .expect = EXPECT_REFUSED(EINVAL) },
	{ "register MINOR", uffd, UFFDIO_REGISTER_MODE_MINOR,
	  .expect = EXPECT_REFUSED(EINVAL) },
	{ "register WP_ASYNC", uffd_wp_async, .flags = USER_UNTOUCHED,
	  .expect = EXPECT_REFUSED(EINVAL) },
	{ "UFFDIO_COPY from it", uffd_copy, .expect = EXPECT_WORKS },
};

const struct family uffd_family = {
	.name = "userfaultfd",
	.users = users,
	.nr = ARRAY_SIZE(users),
};
