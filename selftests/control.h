/* SPDX-License-Identifier: GPL-2.0 */
/* Calls of /dev/dma_buf_exporter and of control handles: 0 or -errno. */
#ifndef _SELFTESTS_CONTROL_H
#define _SELFTESTS_CONTROL_H

#include <stddef.h>

#include <linux/dma-buf-exporter.h>

#include "util.h"

static inline int control_open(void)
{
	return open("/dev/dma_buf_exporter", O_RDWR | O_CLOEXEC);
}

static inline int control_call(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? -errno : 0;
}

/* A buffer and the right to move it. */
struct controlled {
	int fd;
	int control;
};

static inline int control_alloc(int dev, const char *source, const char *placement,
				uint64_t len, struct controlled *c)
{
	struct dma_buf_exporter_alloc alloc = {
		.size = sizeof(alloc), .length = len, .fd_flags = O_RDWR | O_CLOEXEC,
	};
	int ret;

	snprintf(alloc.source, sizeof(alloc.source), "%s", source);
	snprintf(alloc.placement, sizeof(alloc.placement), "%s", placement ?: "");
	ret = control_call(dev, DMA_BUF_EXPORTER_ALLOC, &alloc);
	if (!ret)
		*c = (struct controlled) { alloc.fd, alloc.control_fd };
	return ret;
}

static inline void control_free(struct controlled *c)
{
	close(c->fd);
	close(c->control);
}

static inline int control_info(int control, struct dma_buf_exporter_info *info)
{
	*info = (struct dma_buf_exporter_info) { .size = sizeof(*info) };
	return control_call(control, DMA_BUF_EXPORTER_INFO, info);
}

static inline int control_move(int control, const char *placement, unsigned int policy,
			       unsigned int flags)
{
	struct dma_buf_exporter_move_args move = {
		.size = sizeof(move), .flags = flags, .policy = policy, .timeout_ms = 5000,
	};

	snprintf(move.placement, sizeof(move.placement), "%s", placement ?: "");
	return control_call(control, DMA_BUF_EXPORTER_MOVE, &move);
}

static inline int control_compact(int control)
{
	return control_move(control, NULL, DMA_BUF_EXPORTER_WAIT, DMA_BUF_EXPORTER_COMPACT);
}

static inline int control_revoke(int control)
{
	struct dma_buf_exporter_revoke_args revoke = { .size = sizeof(revoke), .timeout_ms = 5000 };

	return control_call(control, DMA_BUF_EXPORTER_REVOKE, &revoke);
}

/* One structure of the ABI, with room behind it, as a call that must work. */
union any {
	__u32 size;
	struct dma_buf_exporter_info info;
	struct dma_buf_exporter_alloc alloc;
	struct dma_buf_exporter_move_args move;
	struct dma_buf_exporter_revoke_args revoke;
	char bytes[PAGE];
};

/* A call that succeeds, but for what a test changes. */
static inline void prepare(union any *any, unsigned long cmd, int dmabuf)
{
	memset(any, 0, sizeof(*any));
	switch (cmd) {
	case DMA_BUF_EXPORTER_INFO:
		any->info = (struct dma_buf_exporter_info) {
			.size = sizeof(any->info), .fd = dmabuf,
		};
		break;
	case DMA_BUF_EXPORTER_ALLOC:
		any->alloc = (struct dma_buf_exporter_alloc) {
			.size = sizeof(any->alloc), .length = PAGE, .fd_flags = O_RDWR,
			.source = "pfnmap",
		};
		break;
	case DMA_BUF_EXPORTER_MOVE:
		any->size = sizeof(any->move);
		break;
	case DMA_BUF_EXPORTER_REVOKE:
		any->size = sizeof(any->revoke);
		any->revoke.timeout_ms = 5000;
		break;
	}
}

/* Makes the call, and gives back what it allocated. */
static inline int call(int fd, unsigned long cmd, union any *any)
{
	int ret = control_call(fd, cmd, any);

	if (!ret && cmd == DMA_BUF_EXPORTER_ALLOC) {
		close(any->alloc.fd);
		close(any->alloc.control_fd);
	}
	return ret;
}

#endif
