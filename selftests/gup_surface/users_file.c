// SPDX-License-Identifier: GPL-2.0
/* File I/O: buffered, which copies, and O_DIRECT, which takes the pages. */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <mntent.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gup_surface.h"

static const char *scratch_setup(void)
{
	int fd = scratch_file(O_DIRECT);

	if (fd < 0)
		return missing("no O_DIRECT in %s", scratch_dir);
	close(fd);
	return NULL;
}

/* Did @fd get what the window holds? */
static struct result written(int fd, struct result good)
{
	void *copy = anon_buffer(WINDOW);

	if (pread(fd, copy, WINDOW, 0) != (ssize_t)WINDOW)
		return odd("short file");
	return pattern_window_ok(copy, WINDOW) ? good : odd("wrong data");
}

static int source_file(int flags)
{
	void *data = anon_buffer(WINDOW);
	int fd = scratch_file(flags);

	inverse_fill(data, WINDOW);
	if (fd < 0 || pwrite(fd, data, WINDOW, 0) != (ssize_t)WINDOW)
		return -1;
	return fd;
}

static struct result write_from(struct cell *c)
{
	int fd = scratch_file(c->arg);
	ssize_t n = pwrite(fd, c->map, WINDOW, 0);

	if (n < 0)
		return refused(errno);
	if (n != (ssize_t)WINDOW)
		return odd("short");
	return written(fd, c->arg ? taken() : works());
}

static struct result read_into(struct cell *c)
{
	int fd = source_file(c->arg);
	ssize_t n = pread(fd, c->map, WINDOW, 0);

	if (n < 0)
		return refused(errno);
	if (n != (ssize_t)WINDOW)
		return odd("short");
	if (!inverse_ok(c->map, WINDOW))
		return odd("wrong data");
	return c->arg ? taken() : works();
}

/* Result of one request of Linux AIO. */
static struct result aio(struct cell *c, int opcode, int fd)
{
	struct iocb cb = {
		.aio_lio_opcode = opcode,
		.aio_fildes = fd,
		.aio_buf = (unsigned long)c->map,
		.aio_nbytes = WINDOW,
	};
	struct iocb *list[] = { &cb };
	struct io_event ev;
	aio_context_t ctx = 0;

	if (syscall(SYS_io_setup, 1, &ctx))
		return skipped("no Linux AIO");
	if (syscall(SYS_io_submit, ctx, 1, list) != 1)
		return refused(errno);
	if (syscall(SYS_io_getevents, ctx, 1, 1, &ev, NULL) != 1)
		return odd("no event");
	if (ev.res < 0)
		return refused(-ev.res);
	return ev.res == (long)WINDOW ? taken() : odd("short");
}

static struct result aio_write(struct cell *c)
{
	int fd = scratch_file(O_DIRECT);
	struct result r = aio(c, IOCB_CMD_PWRITE, fd);

	return r.kind == TAKEN ? written(fd, r) : r;
}

static struct result aio_read(struct cell *c)
{
	struct result r = aio(c, IOCB_CMD_PREAD, source_file(O_DIRECT));

	if (r.kind == TAKEN && !inverse_ok(c->map, WINDOW))
		return odd("wrong data");
	return r;
}

/* A file on a 9p mount, whose unbuffered I/O hands pages to the transport. */
static int file_on_9p(void)
{
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	char path[512] = "";
	struct mntent *m;
	int fd;

	while (mounts && !path[0] && (m = getmntent(mounts)))
		if (!strcmp(m->mnt_type, "9p") && !hasmntopt(m, "ro"))
			snprintf(path, sizeof(path), "%s/.gup_surface.XXXXXX", m->mnt_dir);
	if (mounts)
		endmntent(mounts);
	fd = path[0] ? mkstemp(path) : -1;
	if (fd >= 0)
		unlink(path);
	return fd;
}

static struct result write_9p(struct cell *c)
{
	int fd = file_on_9p();
	ssize_t n;

	if (fd < 0)
		return skipped("no writable 9p mount");
	n = pwrite(fd, c->map, WINDOW, 0);
	if (n < 0)
		return refused(errno);
	return n == (ssize_t)WINDOW ? written(fd, taken()) : odd("short");
}

static struct result read_9p(struct cell *c)
{
	void *data = anon_buffer(WINDOW);
	int fd = file_on_9p();
	ssize_t n;

	if (fd < 0)
		return skipped("no writable 9p mount");
	inverse_fill(data, WINDOW);
	if (pwrite(fd, data, WINDOW, 0) != (ssize_t)WINDOW)
		return skipped("cannot write to the 9p mount");
	n = pread(fd, c->map, WINDOW, 0);
	if (n < 0)
		return refused(errno);
	return n == (ssize_t)WINDOW && inverse_ok(c->map, WINDOW) ? taken() : odd("wrong data");
}

/*
 * 9p: even plain read() and write() are unbuffered when the mount has no
 * cache, and netfs then extracts the pages.
 */
static const struct user users[] = {
	{ "buffered write", write_from, .expect = EXPECT_WORKS },
	{ "buffered read", read_into, .flags = USER_CHANGES_DATA, .expect = EXPECT_WORKS },
	{ "O_DIRECT write", write_from, O_DIRECT, .expect = EXPECT_REFUSED(EFAULT) },
	{ "O_DIRECT write, never touched", write_from, O_DIRECT, USER_UNTOUCHED,
	  EXPECT_REFUSED(EFAULT) },
	{ "O_DIRECT read", read_into, O_DIRECT, USER_CHANGES_DATA, EXPECT_REFUSED(EFAULT) },
	{ "O_DIRECT read, never touched", read_into, O_DIRECT,
	  USER_CHANGES_DATA | USER_UNTOUCHED, EXPECT_REFUSED(EFAULT) },
	{ "AIO O_DIRECT write", aio_write, .expect = EXPECT_REFUSED(EFAULT) },
	{ "AIO O_DIRECT read", aio_read, .flags = USER_CHANGES_DATA,
	  .expect = EXPECT_REFUSED(EFAULT) },
	{ "9p write, no cache", write_9p, .expect = EXPECT_REFUSED(EFAULT) },
	{ "9p read, no cache", read_9p, .flags = USER_CHANGES_DATA,
	  .expect = EXPECT_REFUSED(EFAULT) },
};

const struct family file_family = {
	.name = "file I/O",
	.users = users,
	.nr = ARRAY_SIZE(users),
	.setup = scratch_setup,
};
