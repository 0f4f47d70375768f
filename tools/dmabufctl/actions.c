// SPDX-License-Identifier: GPL-2.0
/* dmabufctl move, compact, revoke and alloc: what takes a control handle. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "dmabufctl.h"

static int set_name(char *to, const char *name)
{
	if (strlen(name) >= DMA_BUF_EXPORTER_NAME_LEN)
		return fail("%s: a name has at most %d characters", name,
			    DMA_BUF_EXPORTER_NAME_LEN - 1);
	memcpy(to, name, strlen(name) + 1);
	return STATUS_OK;
}

static const char *why(int err)
{
	switch (err) {
	case ENOTTY:
		return "not a control handle, and nothing else gives that right";
	case EINVAL:
		return "the exporter has no such placement";
	case EBUSY:
		return "the buffer is in use, and stays where it is";
	case ETIMEDOUT:
		return "the buffer was in use all the time, and stays where it is";
	case EALREADY:
		return "it cannot be in fewer pieces";
	case EOPNOTSUPP:
		return "the exporter cannot do that, or an importer cannot get there";
	case ENODEV:
		return "the buffer is revoked";
	case ENOSPC:
		return "there is no room at that placement";
	default:
		return strerror(err);
	}
}

/* Shows what has become of the buffer. */
static int report(const struct options *options, const struct target *target)
{
	struct dma_buf_exporter_info info;
	int err = info_get(target->fd, &info);

	if (err)
		return fail("info %s: %s", target->name, strerror(err));
	if (options->json) {
		json_open(NULL, '{');
		info_print(&info, options);
		json_close('}');
	} else if (info.state & DMA_BUF_EXPORTER_REVOKED) {
		printf("buffer %" PRIu64 " is revoked\n", (uint64_t)info.id);
	} else {
		printf("buffer %" PRIu64 " is at %s, %u pieces\n", (uint64_t)info.id,
		       info.placement, info.extents);
	}
	return STATUS_OK;
}

static int move(const struct options *options, const char *verb, const char *name,
		const char *placement, uint32_t flags)
{
	struct dma_buf_exporter_move_args args = {
		.size = sizeof(args), .flags = flags, .policy = options->policy,
		.timeout_ms = options->timeout_ms,
	};
	struct target target;
	int ret;

	ret = set_name(args.placement, placement);
	if (!ret)
		ret = target_open(&target, name);
	if (ret)
		return ret;
	if (ioctl(target.fd, DMA_BUF_EXPORTER_MOVE, &args))
		ret = fail("%s %s%s%s: %s", verb, name, placement[0] ? " to " : "", placement,
			   why(errno));
	else
		ret = report(options, &target);
	target_close(&target);
	return ret;
}

int cmd_move(const struct options *options, int argc, char **argv)
{
	if (argc != 2 || !argv[1][0])
		return usage();
	return move(options, "move", argv[0], argv[1], 0);
}

int cmd_compact(const struct options *options, int argc, char **argv)
{
	if (argc != 1)
		return usage();
	return move(options, "compact", argv[0], "", DMA_BUF_EXPORTER_COMPACT);
}

int cmd_revoke(const struct options *options, int argc, char **argv)
{
	struct dma_buf_exporter_revoke_args args = {
		.size = sizeof(args), .timeout_ms = options->timeout_ms,
	};
	struct target target;
	int ret;

	if (argc != 1)
		return usage();
	ret = target_open(&target, argv[0]);
	if (ret)
		return ret;
	if (!ioctl(target.fd, DMA_BUF_EXPORTER_REVOKE, &args))
		ret = report(options, &target);
	else if (errno == ETIMEDOUT)
		ret = fail("revoke %s: it is revoked, but somebody still reaches the memory",
			   argv[0]);
	else
		ret = fail("revoke %s: %s", argv[0], why(errno));
	target_close(&target);
	return ret;
}

/* Bytes, with K, M or G behind the number; 0 for what is not a size. */
static uint64_t parse_size(const char *s)
{
	static const char units[] = "KMG";
	const char *unit;
	uint64_t size;
	char *end;
	int shift;

	if (*s < '0' || *s > '9')
		return 0;
	errno = 0;
	size = strtoull(s, &end, 0);
	if (errno || !*end)
		return errno ? 0 : size;
	unit = strchr(units, *end);
	if (!unit || end[1])
		return 0;
	shift = 10 * (unit - units + 1);
	return size << shift >> shift == size ? size << shift : 0;
}

static const char *why_not_allocated(int err)
{
	switch (err) {
	case ENOENT:
		return "there is no such source";
	case EINVAL:
		return "the source has no such placement";
	default:
		return why(err);
	}
}

static void alloc_print(const struct options *options,
			const struct dma_buf_exporter_alloc *alloc)
{
	struct dma_buf_exporter_info info;

	if (options->json) {
		json_open(NULL, '{');
		json_number("pid", getpid());
		json_number("fd", alloc->fd);
		json_number("control_fd", alloc->control_fd);
		if (!info_get(alloc->control_fd, &info))
			info_print(&info, options);
		json_close('}');
	} else {
		printf("dma-buf %d:%d\ncontrol %d:%d\n", getpid(), alloc->fd, getpid(),
		       alloc->control_fd);
	}
	fflush(stdout);
}

/* Holds the buffer until nobody writes to stdin any more. */
int cmd_alloc(const struct options *options, int argc, char **argv)
{
	struct dma_buf_exporter_alloc alloc = {
		.size = sizeof(alloc), .fd_flags = O_RDWR | O_CLOEXEC,
	};
	char rest[256];
	int dev, ret;

	if (argc < 2 || argc > 3)
		return usage();
	alloc.length = parse_size(argv[1]);
	if (!alloc.length)
		return usage();
	ret = set_name(alloc.source, argv[0]);
	if (!ret && argc == 3)
		ret = set_name(alloc.placement, argv[2]);
	if (ret)
		return ret;

	dev = control_open();
	if (dev < 0)
		return STATUS_FAILED;
	ret = ioctl(dev, DMA_BUF_EXPORTER_ALLOC, &alloc) ? errno : 0;
	close(dev);
	if (ret)
		return fail("alloc %s from %s%s%s: %s", argv[1], argv[0],
			    argc == 3 ? " at " : "", argc == 3 ? argv[2] : "",
			    why_not_allocated(ret));
	alloc_print(options, &alloc);
	while (read(STDIN_FILENO, rest, sizeof(rest)) > 0)
		;
	return STATUS_OK;
}
