// SPDX-License-Identifier: GPL-2.0
/*
 * Futexes. The key of a shared one is made from the page, which has to be got;
 * a private one is known by its address alone.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gup_surface.h"

/* The value differs, so a wait that got its key fails with EAGAIN. */
static struct result futex_wait(struct cell *c)
{
	__u32 other = ~*(__u32 *)c->map;

	if (!syscall(SYS_futex, c->map, FUTEX_WAIT | (int)c->arg, other, NULL, NULL, 0))
		return odd("woken");
	if (errno != EAGAIN)
		return refused(errno);
	return c->arg ? works() : taken();
}

static struct result futex_wake(struct cell *c)
{
	if (syscall(SYS_futex, c->map, FUTEX_WAKE | (int)c->arg, 1, NULL, NULL, 0) < 0)
		return refused(errno);
	return c->arg ? works() : taken();
}

static struct result futex_lock_pi(struct cell *c)
{
	__u32 *word = (__u32 *)c->map;

	*word = 0;
	if (syscall(SYS_futex, c->map, FUTEX_LOCK_PI | (int)c->arg, 0, NULL, NULL, 0)) {
		int err = errno;

		pattern_fill(c->map, c->size);
		return refused(err);
	}
	if (*word != (__u32)gettid())
		return odd("not locked");
	syscall(SYS_futex, c->map, FUTEX_UNLOCK_PI | (int)c->arg, 0, NULL, NULL, 0);
	return c->arg ? works() : taken();
}

#define PRIVATE FUTEX_PRIVATE_FLAG

static const struct user users[] = {
	{ "FUTEX_WAIT", futex_wait, .expect = EXPECT_REFUSED(EFAULT) },
	{ "FUTEX_WAKE", futex_wake, .expect = EXPECT_REFUSED(EFAULT) },
	{ "FUTEX_LOCK_PI", futex_lock_pi, .flags = USER_CHANGES_DATA,
	  .expect = EXPECT_REFUSED(EFAULT) },
	{ "FUTEX_WAIT_PRIVATE", futex_wait, PRIVATE, .expect = EXPECT_WORKS },
	{ "FUTEX_WAKE_PRIVATE", futex_wake, PRIVATE, .expect = EXPECT_WORKS },
	{ "FUTEX_LOCK_PI_PRIVATE", futex_lock_pi, PRIVATE, USER_CHANGES_DATA, EXPECT_WORKS },
};

const struct family futex_family = {
	.name = "futex",
	.users = users,
	.nr = ARRAY_SIZE(users),
};
