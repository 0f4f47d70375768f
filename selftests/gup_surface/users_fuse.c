// SPDX-License-Identifier: GPL-2.0
/*
 * FUSE: the server's buffer is written through its pages even by a plain
 * read() of /dev/fuse, and a file with FOPEN_DIRECT_IO does direct I/O without
 * O_DIRECT. The file system here is one regular file, its own root.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gup_surface.h"

/* Mounts on @path; the descriptor is the connection to the server. */
static int fuse_mount(char *path, size_t len)
{
	char options[80];
	int fd, target;

	load_module("fuse", NULL);
	fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -1;
	/* The mount is this cell's alone and goes with it. */
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -1;
	snprintf(path, len, "/tmp/gup_surface.XXXXXX");
	target = mkstemp(path);
	if (target < 0)
		return -1;
	close(target);
	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=%o,user_id=0,group_id=0,max_read=131072", fd, S_IFREG | 0600);
	if (mount("gup_surface", path, "fuse", 0, options)) {
		unlink(path);
		return -1;
	}
	return fd;
}

static void fuse_unmount(const char *path)
{
	umount2(path, MNT_DETACH);
	unlink(path);
}

/* The request that waits from the start is FUSE_INIT. */
static struct result fuse_dev_read(struct cell *c)
{
	char path[64];
	int fd = fuse_mount(path, sizeof(path));
	struct result r;
	ssize_t n;

	if (fd < 0)
		return skipped("no FUSE mount: %s", strerrorname_np(errno));
	n = read(fd, c->map, WINDOW);
	if (n < 0)
		r = refused(errno);
	else if (((struct fuse_in_header *)c->map)->opcode == FUSE_INIT)
		r = taken();
	else
		r = odd("wrong data");
	fuse_unmount(path);
	return r;
}

union reply {
	struct fuse_init_out init;
	struct fuse_open_out open;
	struct fuse_attr_out attr;
	struct fuse_write_out write;
	unsigned char data[WINDOW];
};

/* Payload of the answer to @h, or a negative errno. */
static int answer(const struct fuse_in_header *h, union reply *reply)
{
	const void *in = h + 1;

	switch (h->opcode) {
	case FUSE_INIT:
		reply->init = (struct fuse_init_out){
			.major = FUSE_KERNEL_VERSION,
			.minor = FUSE_KERNEL_MINOR_VERSION,
			.max_write = WINDOW,
			.max_pages = WINDOW / 4096,
			.flags = FUSE_BIG_WRITES | FUSE_MAX_PAGES,
		};
		return sizeof(reply->init);
	case FUSE_OPEN:
		reply->open = (struct fuse_open_out){ .open_flags = FOPEN_DIRECT_IO };
		return sizeof(reply->open);
	case FUSE_GETATTR:
		reply->attr = (struct fuse_attr_out){
			.attr = { .ino = 1, .mode = S_IFREG | 0600, .nlink = 1, .size = WINDOW },
		};
		return sizeof(reply->attr);
	case FUSE_WRITE:
		reply->write = (struct fuse_write_out){
			.size = ((const struct fuse_write_in *)in)->size,
		};
		return sizeof(reply->write);
	case FUSE_READ:
		inverse_fill(reply->data, WINDOW);
		return WINDOW;
	default:
		return -EOPNOTSUPP;
	}
}

static void serve(int fd)
{
	struct {
		struct fuse_out_header h;
		union reply reply;
	} *out = anon_buffer(sizeof(*out));
	struct fuse_in_header *in = anon_buffer(2 * WINDOW);

	while (read(fd, in, 2 * WINDOW) > 0) {
		int ret = answer(in, &out->reply);

		out->h.unique = in->unique;
		out->h.error = ret < 0 ? ret : 0;
		out->h.len = sizeof(out->h) + (ret < 0 ? 0 : ret);
		if (write(fd, out, out->h.len) < 0 && errno != ENOENT)
			break;
	}
	_exit(0);
}

static struct result fuse_direct(struct cell *c)
{
	char path[64];
	int fd = fuse_mount(path, sizeof(path));
	struct result r;
	ssize_t n;
	int file;

	if (fd < 0)
		return skipped("no FUSE mount: %s", strerrorname_np(errno));
	/* Ends with the process group of the cell. */
	if (!fork())
		serve(fd);
	file = open(path, O_RDWR | O_CLOEXEC);
	if (file < 0) {
		r = skipped("cannot open the file: %s", strerrorname_np(errno));
		goto out;
	}
	n = c->arg == O_WRONLY ? pwrite(file, c->map, WINDOW, 0) : pread(file, c->map, WINDOW, 0);
	if (n < 0)
		r = refused(errno);
	else if (n != (ssize_t)WINDOW || (c->arg == O_RDONLY && !inverse_ok(c->map, WINDOW)))
		r = odd("wrong data");
	else
		r = taken();
out:
	fuse_unmount(path);
	return r;
}

static const struct user users[] = {
	{ "read of /dev/fuse", fuse_dev_read, .flags = USER_CHANGES_DATA,
	  .expect = EXPECT_REFUSED(EFAULT) },
	{ "FOPEN_DIRECT_IO write", fuse_direct, O_WRONLY, .expect = EXPECT_REFUSED(EFAULT) },
	{ "FOPEN_DIRECT_IO read", fuse_direct, O_RDONLY, USER_CHANGES_DATA,
	  EXPECT_REFUSED(EFAULT) },
};

const struct family fuse_family = {
	.name = "FUSE",
	.users = users,
	.nr = ARRAY_SIZE(users),
};
