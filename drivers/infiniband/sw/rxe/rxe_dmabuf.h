/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* Memory regions that are dma-bufs: see rxe_dmabuf.c. */
#ifndef RXE_DMABUF_H
#define RXE_DMABUF_H

static inline bool is_dmabuf_mr(const struct rxe_mr *mr)
{
	return mr->importer;
}

struct ib_mr *rxe_dmabuf_reg_mr(struct ib_pd *ibpd, u64 offset, u64 length, u64 iova,
				int fd, int access);
int rxe_dmabuf_init_va(struct rxe_mr *mr, u64 start, u64 length, u64 iova, int access);
int rxe_dmabuf_check_rereg(struct rxe_mr *mr, int flags, int access);
void rxe_dmabuf_cleanup(struct rxe_mr *mr);

int rxe_dmabuf_copy(struct rxe_mr *mr, u64 iova, void *addr, unsigned int length,
		    enum rxe_mr_copy_dir dir);
enum resp_states rxe_dmabuf_atomic_op(struct rxe_mr *mr, u64 iova, int opcode, u64 compare,
				      u64 swap_add, u64 *orig_val);
enum resp_states rxe_dmabuf_atomic_write(struct rxe_mr *mr, u64 iova, u64 value);

void rxe_dmabuf_rnr(struct rxe_qp *qp, struct rxe_pkt_info *pkt);
void rxe_dmabuf_drop(struct rxe_qp *qp);
bool rxe_dmabuf_dropping(struct rxe_qp *qp);
void rxe_dmabuf_later(struct rxe_qp *qp);
bool rxe_dmabuf_keep_wqe(struct rxe_qp *qp);

#endif
