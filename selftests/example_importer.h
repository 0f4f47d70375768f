/* SPDX-License-Identifier: GPL-2.0 */
/* Calls of the importer's example, see Documentation/examples: 0 or -errno. */
#ifndef _SELFTESTS_EXAMPLE_IMPORTER_H
#define _SELFTESTS_EXAMPLE_IMPORTER_H

#include <linux/ioctl.h>

#include "util.h"

struct example_range {
	__u64 start;
	__u64 length;
};

#define EXAMPLE_IMPORT		_IO('Y', 0)
#define EXAMPLE_IMPORT_RANGE	_IOW('Y', 1, struct example_range)

static inline int importer_open(int flags)
{
	return open("/dev/example_importer", flags | O_CLOEXEC);
}

static inline int importer_import(int node, int fd)
{
	return ioctl(node, EXAMPLE_IMPORT, fd) ? -errno : 0;
}

static inline int importer_range(int node, const void *start, uint64_t length)
{
	struct example_range range = { (uintptr_t)start, length };

	return ioctl(node, EXAMPLE_IMPORT_RANGE, &range) ? -errno : 0;
}

#endif
