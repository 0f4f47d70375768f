// SPDX-License-Identifier: GPL-2.0
/* vmsplice: pages of a process put into a pipe, and passed on from there. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "gup_surface.h"

/* Half of what a pipe holds by default. */
#define LEN (WINDOW / 2)

static ssize_t into_pipe(int fd[2], void *addr, size_t len, unsigned int flags)
{
	struct iovec iov = { addr, len };

	if (pipe2(fd, O_CLOEXEC | O_NONBLOCK))
		abort();
	return vmsplice(fd[1], &iov, 1, flags | SPLICE_F_NONBLOCK);
}

bool gup_refused(void *addr)
{
	int fd[2];
	ssize_t n = into_pipe(fd, addr, 4096, 0);

	close(fd[0]);
	close(fd[1]);
	return n < 0;
}

static struct result splice_in(struct cell *c)
{
	void *copy = anon_buffer(LEN);
	int fd[2];
	ssize_t n = into_pipe(fd, c->map, LEN, c->arg);

	if (n < 0)
		return refused(errno);
	if (n != (ssize_t)LEN || read(fd[0], copy, LEN) != n)
		return odd("short");
	return pattern_window_ok(copy, LEN) ? taken() : odd("wrong data");
}

static struct result splice_on(struct cell *c)
{
	void *copy = anon_buffer(LEN);
	int file = scratch_file(0);
	int from[2], to[2];
	ssize_t n = into_pipe(from, c->map, LEN, 0);

	if (n < 0)
		return refused(errno);
	if (pipe2(to, O_CLOEXEC | O_NONBLOCK) || tee(from[0], to[1], LEN, 0) != n)
		return odd("tee");
	if (splice(to[0], NULL, file, NULL, LEN, 0) != n)
		return odd("splice");
	if (pread(file, copy, LEN, 0) != n || !pattern_window_ok(copy, LEN))
		return odd("wrong data");
	return taken();
}

/* The other direction copies. */
static struct result splice_out(struct cell *c)
{
	struct iovec iov = { c->map, LEN };
	void *data = anon_buffer(LEN);
	int fd[2];

	inverse_fill(data, LEN);
	if (pipe2(fd, O_CLOEXEC | O_NONBLOCK) || write(fd[1], data, LEN) != (ssize_t)LEN)
		return skipped("no pipe");
	if (vmsplice(fd[0], &iov, 1, 0) != (ssize_t)LEN)
		return refused(errno);
	return inverse_ok(c->map, LEN) ? works() : odd("wrong data");
}

static const struct user users[] = {
	{ "vmsplice", splice_in, .expect = EXPECT_REFUSED(EFAULT) },
	{ "vmsplice, never touched", splice_in, .flags = USER_UNTOUCHED,
	  .expect = EXPECT_REFUSED(EFAULT) },
	{ "vmsplice SPLICE_F_GIFT", splice_in, SPLICE_F_GIFT, .expect = EXPECT_REFUSED(EFAULT) },
	{ "vmsplice, tee, splice", splice_on, .expect = EXPECT_REFUSED(EFAULT) },
	{ "vmsplice from a pipe", splice_out, .flags = USER_CHANGES_DATA,
	  .expect = EXPECT_WORKS },
};

const struct family splice_family = {
	.name = "splice",
	.users = users,
	.nr = ARRAY_SIZE(users),
};
