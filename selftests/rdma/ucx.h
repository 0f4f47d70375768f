/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _SELFTESTS_RDMA_UCX_H
#define _SELFTESTS_RDMA_UCX_H

#include <uct/api/uct.h>

/*
 * uct_md_mem_reg_v2() is exported, but no header with it is installed: its arguments as
 * they are in UCX 1.18.
 */
#define REG_FLAGS		1
#define REG_DMABUF_FD		2
#define REG_DMABUF_OFFSET	4

struct reg_params {
	uint64_t mask;
	uint64_t flags;
	int dmabuf_fd;
	size_t dmabuf_offset;
	uint64_t later[8];
};

ucs_status_t uct_md_mem_reg_v2(uct_md_h md, void *address, size_t length,
			       const struct reg_params *params, uct_mem_h *memh);

#endif
