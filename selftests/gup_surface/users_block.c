// SPDX-License-Identifier: GPL-2.0
/*
 * Block devices: direct I/O on the device itself, and SCSI commands of user
 * space (SG_IO). The disk is scsi_debug's, so nothing is at stake.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <scsi/sg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "gup_surface.h"

#define BLOCKS "/sys/block"

static char disk[300];

/* The disk whose SCSI model is that of scsi_debug. */
static bool find_disk(void)
{
	DIR *dir = opendir(BLOCKS);
	char path[300], model[32];
	struct dirent *d;
	FILE *f;

	while (dir && !disk[0] && (d = readdir(dir))) {
		snprintf(path, sizeof(path), BLOCKS "/%s/device/model", d->d_name);
		f = fopen(path, "re");
		if (!f)
			continue;
		if (fgets(model, sizeof(model), f) && !strncmp(model, "scsi_debug", 10))
			snprintf(disk, sizeof(disk), "/dev/%s", d->d_name);
		fclose(f);
	}
	if (dir)
		closedir(dir);
	return disk[0];
}

static const char *block_setup(void)
{
	const char *reason = load_module("scsi_debug", "dev_size_mb=8 delay=0");

	if (!reason)
		reason = load_module("sd_mod", NULL);
	if (reason)
		return reason;
	return find_disk() ? NULL : "no scsi_debug disk";
}

static struct result direct_write(struct cell *c)
{
	void *copy = anon_buffer(WINDOW);
	int fd = open(disk, O_RDWR | O_DIRECT | O_CLOEXEC);

	if (fd < 0)
		return skipped("cannot open %s", disk);
	if (pwrite(fd, c->map, WINDOW, 0) != (ssize_t)WINDOW)
		return refused(errno);
	if (pread(fd, copy, WINDOW, 0) != (ssize_t)WINDOW || !pattern_window_ok(copy, WINDOW))
		return odd("wrong data");
	return taken();
}

/* Puts on the disk what a read has to bring. */
static int disk_with_data(void)
{
	void *data = anon_buffer(WINDOW);
	int fd = open(disk, O_RDWR | O_DIRECT | O_CLOEXEC);

	inverse_fill(data, WINDOW);
	if (fd >= 0 && pwrite(fd, data, WINDOW, 0) != (ssize_t)WINDOW)
		return -1;
	return fd;
}

static struct result direct_read(struct cell *c)
{
	int fd = disk_with_data();

	if (fd < 0)
		return skipped("cannot write to %s", disk);
	if (pread(fd, c->map, WINDOW, 0) != (ssize_t)WINDOW)
		return refused(errno);
	return inverse_ok(c->map, WINDOW) ? taken() : odd("wrong data");
}

static struct result sg_io(struct cell *c)
{
	/* READ(10) or WRITE(10) of the first blocks */
	unsigned char cdb[10] = {
		[0] = c->arg == SG_DXFER_FROM_DEV ? 0x28 : 0x2a,
		[8] = WINDOW / 512,
	};
	sg_io_hdr_t io = {
		.interface_id = 'S',
		.dxfer_direction = c->arg,
		.cmdp = cdb,
		.cmd_len = sizeof(cdb),
		.dxferp = c->map,
		.dxfer_len = WINDOW,
		.timeout = 5000,
	};
	int fd = disk_with_data();

	if (fd < 0)
		return skipped("cannot write to %s", disk);
	if (ioctl(fd, SG_IO, &io))
		return refused(errno);
	if (io.status || io.host_status || io.driver_status)
		return odd("SCSI error");
	if (c->arg == SG_DXFER_FROM_DEV && !inverse_ok(c->map, WINDOW))
		return odd("wrong data");
	return taken();
}

static const struct user users[] = {
	{ "block device O_DIRECT write", direct_write, .expect = EXPECT_REFUSED(EFAULT) },
	{ "block device O_DIRECT read", direct_read, .flags = USER_CHANGES_DATA,
	  .expect = EXPECT_REFUSED(EFAULT) },
	{ "SG_IO write", sg_io, SG_DXFER_TO_DEV, .expect = EXPECT_REFUSED(EFAULT) },
	{ "SG_IO read", sg_io, SG_DXFER_FROM_DEV, USER_CHANGES_DATA, EXPECT_REFUSED(EFAULT) },
};

const struct family block_family = {
	.name = "block",
	.users = users,
	.nr = ARRAY_SIZE(users),
	.setup = block_setup,
};
