// SPDX-License-Identifier: GPL-2.0
/*
 * vivid, a V4L2 driver without hardware: its capture queues export buffers
 * (videobuf2 with two of its allocators), and take pages as USERPTR buffers.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "gup_surface.h"

#define CAPTURE V4L2_BUF_TYPE_VIDEO_CAPTURE

/*
 * Only the node types that are used, as each costs time. A queue has one owner
 * at a time, so USERPTR gets an instance of its own.
 */
const char *vivid_load(void)
{
	return load_module("vivid", "n_devs=3 node_types=1,1,1 allocators=0,1,0");
}

int vivid_device(int instance)
{
	char want[32], path[300], name[64];
	DIR *dir = opendir("/sys/class/video4linux");
	struct dirent *d;
	int fd = -1;
	FILE *f;

	if (!dir)
		return -1;
	snprintf(want, sizeof(want), "vivid-%03d-vid-cap\n", instance);
	while (fd < 0 && (d = readdir(dir))) {
		snprintf(path, sizeof(path), "/sys/class/video4linux/%s/name", d->d_name);
		f = fopen(path, "re");
		if (!f)
			continue;
		if (fgets(name, sizeof(name), f) && !strcmp(name, want)) {
			snprintf(path, sizeof(path), "/dev/%s", d->d_name);
			fd = open(path, O_RDWR | O_CLOEXEC);
		}
		fclose(f);
	}
	closedir(dir);
	return fd;
}

/* Size of a frame, after asking for this one. */
static size_t set_format(int fd, unsigned int width, unsigned int height)
{
	struct v4l2_format fmt = {
		.type = CAPTURE,
		.fmt.pix = {
			.width = width,
			.height = height,
			.pixelformat = V4L2_PIX_FMT_YUYV,
		},
	};

	return ioctl(fd, VIDIOC_S_FMT, &fmt) ? 0 : fmt.fmt.pix.sizeimage;
}

const char *vivid_open(struct exporter *e)
{
	struct v4l2_requestbuffers req = {
		.count = 2, .type = CAPTURE, .memory = V4L2_MEMORY_MMAP,
	};
	struct v4l2_exportbuffer exp = { .type = CAPTURE, .flags = O_RDWR | O_CLOEXEC };
	const char *reason = vivid_load();
	size_t size;
	int fd;

	if (reason)
		return reason;
	fd = vivid_device(e->instance);
	if (fd < 0)
		return "no vivid device";
	/* A whole number of pages, where vivid has this size. */
	size = set_format(fd, 1280, 720);
	if (!size || ioctl(fd, VIDIOC_REQBUFS, &req) || ioctl(fd, VIDIOC_EXPBUF, &exp)) {
		reason = missing("vivid cannot export: %s", strerrorname_np(errno));
		close(fd);
		return reason;
	}
	e->fd = exp.fd;
	e->aux = fd;
	e->size = (size + 4095) & ~(size_t)4095;
	return NULL;
}

static struct result userptr(struct cell *c)
{
	struct v4l2_requestbuffers req = {
		.count = 2, .type = CAPTURE, .memory = V4L2_MEMORY_USERPTR,
	};
	struct v4l2_buffer buf = { .type = CAPTURE, .memory = V4L2_MEMORY_USERPTR };
	int fd = vivid_device(VIVID_USERPTR);
	size_t size;

	if (fd < 0)
		return skipped("no vivid device");
	size = set_format(fd, 640, 360);
	if (!size || ioctl(fd, VIDIOC_REQBUFS, &req))
		return skipped("vivid has no USERPTR: %s", strerrorname_np(errno));
	if (size > c->size)
		return skipped("the buffer is smaller than a frame");
	buf.m.userptr = (unsigned long)c->map;
	buf.length = c->size;
	return ioctl(fd, VIDIOC_QBUF, &buf) ? refused(errno) : taken();
}

/*
 * vb2_create_framevec() is pin_user_pages_fast(): no page, no frame vector,
 * and its errno reaches VIDIOC_QBUF.
 */
static const struct user users[] = {
	{ "USERPTR (vb2-vmalloc)", userptr, .expect = EXPECT_REFUSED(EFAULT) },
};

const struct family v4l2_family = {
	.name = "V4L2",
	.users = users,
	.nr = ARRAY_SIZE(users),
	.setup = vivid_load,
};
