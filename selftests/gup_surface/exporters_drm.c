// SPDX-License-Identifier: GPL-2.0
/* DRM drivers: a dumb buffer, exported by PRIME. */
#include <dirent.h>
#include <drm/drm.h>
#include <drm/drm_mode.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "gup_surface.h"

static bool is_driver(int fd, const char *want)
{
	char name[32] = "";
	struct drm_version version = { .name = name, .name_len = sizeof(name) - 1 };

	return !ioctl(fd, DRM_IOCTL_VERSION, &version) && !strcmp(name, want);
}

static int open_driver(const char *name)
{
	DIR *dir = opendir("/dev/dri");
	struct dirent *d;
	int found = -1;

	if (!dir)
		return -1;
	while (found < 0 && (d = readdir(dir))) {
		int fd;

		if (strncmp(d->d_name, "card", 4))
			continue;
		fd = openat(dirfd(dir), d->d_name, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (is_driver(fd, name))
			found = fd;
		else
			close(fd);
	}
	closedir(dir);
	return found;
}

const char *drm_open(struct exporter *e)
{
	struct drm_mode_create_dumb dumb = { .width = 1024, .height = 1024, .bpp = 32 };
	struct drm_prime_handle prime = { .flags = DRM_CLOEXEC | DRM_RDWR };
	int fd, err;

	load_module(e->arg, NULL);
	fd = open_driver(e->arg);
	if (fd < 0)
		return missing("no %s device", e->arg);
	err = ioctl(fd, DRM_IOCTL_MODE_CREATE_DUMB, &dumb);
	prime.handle = dumb.handle;
	if (!err)
		err = ioctl(fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime);
	if (err)
		err = errno;
	/* The dma-buf keeps the buffer and the device. */
	close(fd);
	if (err)
		return missing("no dumb buffer to export: %s", strerrorname_np(err));
	e->fd = prime.fd;
	e->size = dumb.size;
	return NULL;
}
