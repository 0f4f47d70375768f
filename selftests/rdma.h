/* SPDX-License-Identifier: GPL-2.0 */
/* Two connected queue pairs of one soft-RoCE device: see rdma/run. */
#ifndef _SELFTESTS_RDMA_H
#define _SELFTESTS_RDMA_H

#include <infiniband/verbs.h>

#include "util.h"

#define RXE_PARAMETERS	"/sys/module/rdma_rxe/parameters/"
#define RDMA_DEPTH	64
#define RDMA_ACCESS	(IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_READ | \
			 IBV_ACCESS_REMOTE_WRITE)

/* The first of the two asks, the second answers. */
struct rdma {
	struct ibv_context *ctx;
	struct ibv_pd *pd;
	struct ibv_comp_channel *channel[2];
	struct ibv_cq *cq[2];
	struct ibv_qp *qp[2];
};

/* Memory that both sides know: what begins at @addr for them, and the keys. */
struct region {
	struct ibv_mr *mr;
	uint64_t addr;
};

static inline struct ibv_context *rdma_device(const char *name)
{
	struct ibv_device **list = ibv_get_device_list(NULL);
	struct ibv_context *ctx = NULL;

	for (int i = 0; list && list[i] && !ctx; i++)
		if (!strcmp(ibv_get_device_name(list[i]), name))
			ctx = ibv_open_device(list[i]);
	if (list)
		ibv_free_device_list(list);
	if (!ctx)
		errno = ENODEV;
	return ctx;
}

/* Where the IPv4 address of the interface is in the table, or -1. */
static inline int rdma_gid(struct ibv_context *ctx, union ibv_gid *gid)
{
	static const uint8_t v4[12] = { [10] = 0xff, 0xff };
	struct ibv_gid_entry entries[16];
	ssize_t n = ibv_query_gid_table(ctx, entries, ARRAY_SIZE(entries), 0);

	for (ssize_t i = 0; i < n; i++) {
		*gid = entries[i].gid;
		if (!memcmp(gid->raw, v4, sizeof(v4)))
			return entries[i].gid_index;
	}
	return -1;
}

static inline int rdma_connect(struct rdma *r, struct ibv_qp *qp, struct ibv_qp *peer)
{
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_INIT, .port_num = 1, .qp_access_flags = RDMA_ACCESS,
	};
	struct ibv_port_attr port;
	union ibv_gid gid;
	int index = rdma_gid(r->ctx, &gid);

	if (index < 0 || ibv_query_port(r->ctx, 1, &port))
		return -1;
	if (ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
			  IBV_QP_ACCESS_FLAGS))
		return -1;
	attr = (struct ibv_qp_attr) {
		.qp_state = IBV_QPS_RTR, .path_mtu = port.active_mtu, .dest_qp_num = peer->qp_num,
		.max_dest_rd_atomic = 16, .min_rnr_timer = 12,
		.ah_attr = {
			.port_num = 1, .is_global = 1,
			.grh = { .dgid = gid, .sgid_index = index, .hop_limit = 1 },
		},
	};
	if (ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU |
			  IBV_QP_DEST_QPN | IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC |
			  IBV_QP_MIN_RNR_TIMER))
		return -1;
	/* Memory that is on the move for long is asked for as often as it takes. */
	attr = (struct ibv_qp_attr) {
		.qp_state = IBV_QPS_RTS, .timeout = 16, .retry_cnt = 7, .rnr_retry = 7,
		.max_rd_atomic = 16,
	};
	return ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
			     IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC);
}

/* 0, or -1 with errno set; a program that gets that ends. */
static inline int rdma_open(struct rdma *r)
{
	*r = (struct rdma) { .ctx = rdma_device("rxe0") };
	r->pd = r->ctx ? ibv_alloc_pd(r->ctx) : NULL;
	for (int i = 0; i < 2; i++) {
		struct ibv_qp_init_attr init = {
			.qp_type = IBV_QPT_RC,
			.cap = { RDMA_DEPTH, RDMA_DEPTH, 1, 1, 0 },
		};

		r->channel[i] = r->pd ? ibv_create_comp_channel(r->ctx) : NULL;
		r->cq[i] = r->channel[i] ?
			ibv_create_cq(r->ctx, 2 * RDMA_DEPTH, NULL, r->channel[i], 0) : NULL;
		init.send_cq = r->cq[i];
		init.recv_cq = r->cq[i];
		r->qp[i] = r->cq[i] ? ibv_create_qp(r->pd, &init) : NULL;
		if (!r->qp[i])
			return -1;
	}
	return rdma_connect(r, r->qp[0], r->qp[1]) || rdma_connect(r, r->qp[1], r->qp[0]) ?
		-1 : 0;
}

static inline void rdma_close(struct rdma *r)
{
	for (int i = 0; i < 2; i++) {
		ibv_destroy_qp(r->qp[i]);
		ibv_destroy_cq(r->cq[i]);
		ibv_destroy_comp_channel(r->channel[i]);
	}
	ibv_dealloc_pd(r->pd);
	ibv_close_device(r->ctx);
}

/* Both: whether it worked; what went wrong is in errno. */
static inline bool region_of_memory(struct rdma *r, struct region *region, void *addr,
				    size_t size)
{
	region->mr = ibv_reg_mr(r->pd, addr, size, RDMA_ACCESS);
	region->addr = (uintptr_t)addr;
	return region->mr;
}

static inline bool region_of_dmabuf(struct rdma *r, struct region *region, int fd, size_t size)
{
	region->mr = ibv_reg_dmabuf_mr(r->pd, 0, size, 0, fd, RDMA_ACCESS);
	region->addr = 0;
	return region->mr;
}

/* 0 or an errno: IBV_WR_RDMA_WRITE, IBV_WR_RDMA_READ, or IBV_WR_SEND without @remote. */
static inline int rdma_post(struct rdma *r, enum ibv_wr_opcode opcode,
			    const struct region *local, const struct region *remote,
			    size_t offset, size_t len)
{
	struct ibv_sge sge = { local->addr + offset, len, local->mr->lkey };
	struct ibv_send_wr *bad, wr = {
		.sg_list = &sge, .num_sge = 1, .opcode = opcode, .send_flags = IBV_SEND_SIGNALED,
	};

	if (remote) {
		wr.wr.rdma.remote_addr = remote->addr + offset;
		wr.wr.rdma.rkey = remote->mr->rkey;
	}
	return ibv_post_send(r->qp[0], &wr, &bad);
}

static inline int rdma_post_recv(struct rdma *r, const struct region *local, size_t len)
{
	struct ibv_sge sge = { local->addr, len, local->mr->lkey };
	struct ibv_recv_wr *bad, wr = { .sg_list = &sge, .num_sge = 1 };

	return ibv_post_recv(r->qp[1], &wr, &bad);
}

/* The status of what completes next on one side. The device needs the processor, too. */
static inline enum ibv_wc_status rdma_wait(struct rdma *r, int side)
{
	struct ibv_wc wc;
	int n;

	while (!(n = ibv_poll_cq(r->cq[side], 1, &wc)))
		sched_yield();
	return n < 0 ? IBV_WC_GENERAL_ERR : wc.status;
}

/* The same for what takes long. */
static inline enum ibv_wc_status rdma_wait_asleep(struct rdma *r, int side)
{
	struct ibv_wc wc;
	int n;

	while (!(n = ibv_poll_cq(r->cq[side], 1, &wc))) {
		struct ibv_cq *cq;
		void *context;

		if (ibv_req_notify_cq(r->cq[side], 0))
			return IBV_WC_GENERAL_ERR;
		n = ibv_poll_cq(r->cq[side], 1, &wc);
		if (n)
			break;
		if (ibv_get_cq_event(r->channel[side], &cq, &context))
			return IBV_WC_GENERAL_ERR;
		ibv_ack_cq_events(cq, 1);
	}
	return n < 0 ? IBV_WC_GENERAL_ERR : wc.status;
}

#endif
