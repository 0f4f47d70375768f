// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Memory regions that are dma-bufs. The buffer is imported, not pinned: it may move
 * while the region lives, and the packet that comes next finds it at the new place.
 * The memory is used by a kernel mapping, so it need not have struct pages.
 */
#include <linux/dma-buf.h>
#include <linux/iosys-map.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/overflow.h>

#include <linux/dma-buf-compat.h>
#include <linux/dma-buf-importer.h>

#include "rxe.h"
#include "rxe_loc.h"
#include "rxe_dmabuf.h"

static bool dmabuf_va = true;
module_param(dmabuf_va, bool, 0644);
MODULE_PARM_DESC(dmabuf_va,
		 "Register the dma-buf for an address where one is mapped (default=true)");

static bool dmabuf_pin;
module_param(dmabuf_pin, bool, 0644);
MODULE_PARM_DESC(dmabuf_pin, "Pin dma-bufs that are registered from now on (default=false)");

/* A region that is deregistered waits for the packets that use it. */
#define DMABUF_WAIT_MS_MAX	1000

static unsigned int dmabuf_wait_ms = 10;
module_param(dmabuf_wait_ms, uint, 0644);
MODULE_PARM_DESC(dmabuf_wait_ms,
		 "How long a packet waits for a dma-buf that is being moved, before the peer is told to come back (default=10, at most 1000)");

static int dmabuf_init(struct rxe_mr *mr, struct dma_buf *dmabuf, u64 offset, u64 length,
		       u64 iova, int access)
{
	const struct dma_buf_importer_config config = {
		.mode = DMA_BUF_IMPORTER_CPU,
		.write = ib_access_writable(access),
		.pin = READ_ONCE(dmabuf_pin),
	};
	struct dma_buf_importer *importer;
	u64 end;

	if (!length || check_add_overflow(offset, length, &end) || end > dmabuf->size ||
	    check_add_overflow(iova, length, &end)) {
		rxe_dbg_mr(mr, "%#llx bytes from %#llx are not in a dma-buf of %#zx bytes\n",
			   length, offset, dmabuf->size);
		return -EINVAL;
	}
	if (access & IB_ACCESS_FLUSH_PERSISTENT) {
		rxe_dbg_mr(mr, "a dma-buf is not persistent\n");
		return -EINVAL;
	}

	importer = dma_buf_importer_create(dmabuf, &config);
	if (IS_ERR(importer)) {
		rxe_dbg_mr(mr, "cannot import the dma-buf, err = %pe\n", importer);
		return PTR_ERR(importer);
	}

	rxe_mr_init(access, mr);
	mr->importer = importer;
	mr->importer_offset = offset;
	mr->ibmr.iova = iova;
	mr->ibmr.length = length;
	mr->ibmr.type = IB_MR_TYPE_USER;
	mr->state = RXE_MR_STATE_VALID;
	return 0;
}

/*
 * -ENOENT if there is no dma-buf at that address. A region that is paged on demand may be
 * anything: it is one of a dma-buf only if it is nothing else.
 */
int rxe_dmabuf_init_va(struct rxe_mr *mr, u64 start, u64 length, u64 iova, int access)
{
	struct dma_buf *dmabuf;
	u64 offset;
	int err;

	if (!READ_ONCE(dmabuf_va))
		return -ENOENT;
	dmabuf = dma_buf_importer_lookup(current->mm, start, length,
					 ib_access_writable(access), &offset);
	if (IS_ERR(dmabuf))
		return access & IB_ACCESS_ON_DEMAND ? -ENOENT : PTR_ERR(dmabuf);
	err = dmabuf_init(mr, dmabuf, offset, length, iova, access);
	dma_buf_put(dmabuf);
	return err;
}

struct ib_mr *rxe_dmabuf_reg_mr(struct ib_pd *ibpd, u64 offset, u64 length, u64 iova,
				int fd, int access)
{
	struct rxe_dev *rxe = to_rdev(ibpd->device);
	struct rxe_pd *pd = to_rpd(ibpd);
	struct dma_buf *dmabuf;
	struct rxe_mr *mr;
	int err;

	if (access & ~RXE_ACCESS_SUPPORTED_MR) {
		rxe_dbg_pd(pd, "access = %#x not supported (%#x)\n", access,
			   RXE_ACCESS_SUPPORTED_MR);
		return ERR_PTR(-EOPNOTSUPP);
	}
	dmabuf = dma_buf_get(fd);
	if (IS_ERR(dmabuf))
		return ERR_CAST(dmabuf);

	mr = kzalloc(sizeof(*mr), GFP_KERNEL);
	err = mr ? rxe_add_to_pool(&rxe->mr_pool, mr) : -ENOMEM;
	if (err)
		goto err_free;
	rxe_get(pd);
	mr->ibmr.pd = ibpd;
	mr->ibmr.device = ibpd->device;
	err = dmabuf_init(mr, dmabuf, offset, length, iova, access);
	if (err)
		goto err_cleanup;
	dma_buf_put(dmabuf);
	rxe_finalize(mr);
	return &mr->ibmr;

err_cleanup:
	if (rxe_cleanup(mr))
		rxe_err_mr(mr, "cleanup failed\n");
err_free:
	kfree(mr);
	dma_buf_put(dmabuf);
	return ERR_PTR(err);
}

/* The rights of the region may change; those of the importer are what they are. */
int rxe_dmabuf_check_rereg(struct rxe_mr *mr, int flags, int access)
{
	if (!(flags & IB_MR_REREG_ACCESS))
		return 0;
	if (access & IB_ACCESS_FLUSH_PERSISTENT)
		return -EINVAL;
	if (ib_access_writable(access) && !dma_buf_importer_writable(mr->importer))
		return -EACCES;
	return 0;
}

void rxe_dmabuf_cleanup(struct rxe_mr *mr)
{
	if (is_dmabuf_mr(mr))
		dma_buf_importer_destroy(mr->importer);
}

static unsigned long dmabuf_wait(void)
{
	return msecs_to_jiffies(min(READ_ONCE(dmabuf_wait_ms), DMABUF_WAIT_MS_MAX));
}

/*
 * @map begins at @iova then. -EAGAIN if that takes longer than a packet may wait, or if
 * there was no memory for it; -EFAULT if there is no use in coming back.
 */
static int dmabuf_begin(struct rxe_mr *mr, u64 iova, struct iosys_map *map)
{
	int err;

	err = dma_buf_importer_begin(mr->importer, map, dmabuf_wait());
	switch (err) {
	case 0:
		iosys_map_incr(map, mr->importer_offset + (iova - mr->ibmr.iova));
		return 0;
	case -EAGAIN:
	case -EBUSY:
	case -EINTR:
	case -ENOMEM:
	case -ERESTARTSYS:
		return -EAGAIN;
	default:
		rxe_dbg_mr(mr, "no access to the dma-buf, err = %d\n", err);
		return -EFAULT;
	}
}

/* The range has been checked. */
int rxe_dmabuf_copy(struct rxe_mr *mr, u64 iova, void *addr, unsigned int length,
		    enum rxe_mr_copy_dir dir)
{
	struct iosys_map map;
	int err;

	err = dmabuf_begin(mr, iova, &map);
	if (err)
		return err;
	if (dir == RXE_TO_MR_OBJ)
		iosys_map_memcpy_to(&map, 0, addr, length);
	else
		iosys_map_memcpy_from(addr, &map, 0, length);
	dma_buf_importer_end(mr->importer);
	return 0;
}

/* The checks of both kinds of atomic operation; RESPST_NONE if they are passed. */
static enum resp_states dmabuf_begin_atomic(struct rxe_mr *mr, u64 iova,
					    struct iosys_map *map)
{
	int err;

	if (mr->state != RXE_MR_STATE_VALID || mr_check_range(mr, iova, sizeof(u64)))
		return RESPST_ERR_RKEY_VIOLATION;
	if (!IS_ALIGNED(iova, sizeof(u64)))
		return RESPST_ERR_MISALIGNED_ATOMIC;
	err = dmabuf_begin(mr, iova, map);
	if (err)
		return err == -EAGAIN ? RESPST_ERR_RNR : RESPST_ERR_RKEY_VIOLATION;
	return RESPST_NONE;
}

enum resp_states rxe_dmabuf_atomic_op(struct rxe_mr *mr, u64 iova, int opcode, u64 compare,
				      u64 swap_add, u64 *orig_val)
{
	enum resp_states state;
	struct iosys_map map;
	u64 value;

	state = dmabuf_begin_atomic(mr, iova, &map);
	if (state != RESPST_NONE)
		return state;

	spin_lock_bh(&atomic_ops_lock);
	value = iosys_map_rd(&map, 0, u64);
	*orig_val = value;
	if (opcode != IB_OPCODE_RC_COMPARE_SWAP)
		iosys_map_wr(&map, 0, u64, value + swap_add);
	else if (value == compare)
		iosys_map_wr(&map, 0, u64, swap_add);
	spin_unlock_bh(&atomic_ops_lock);

	dma_buf_importer_end(mr->importer);
	return RESPST_NONE;
}

enum resp_states rxe_dmabuf_atomic_write(struct rxe_mr *mr, u64 iova, u64 value)
{
	enum resp_states state;
	struct iosys_map map;

	state = dmabuf_begin_atomic(mr, iova, &map);
	if (state != RESPST_NONE)
		return state;
	/* After all that was written before, by write-combining too. */
	wmb();
	iosys_map_wr(&map, 0, u64, value);
	dma_buf_importer_end(mr->importer);
	return RESPST_NONE;
}

/*
 * The peer is told to send a request again. What this side has noted about it must
 * go, or the request would not be new when it comes. Of a read that has been
 * answered in part the peer asks for the rest, by the PSN where that begins.
 */
void rxe_dmabuf_rnr(struct rxe_qp *qp, struct rxe_pkt_info *pkt)
{
	struct resp_res *res = qp->resp.res;

	if (res) {
		qp->resp.res = NULL;
		pkt->psn = res->cur_psn;
		if (!res->replay && res->type == RXE_READ_MASK)
			qp->resp.msn--;
		if (!res->replay && res->cur_psn == res->first_psn) {
			qp->resp.res_head = res - qp->resp.resources;
			free_rd_atomic_resource(res);
		} else if (psn_compare(res->cur_psn, qp->resp.psn) > 0) {
			qp->resp.psn = res->cur_psn;
		}
	}
	/* What has been sent after it comes again, too: no NAK for that. */
	if (!psn_compare(pkt->psn, qp->resp.psn))
		qp->resp.sent_psn_nak = 1;
}

/*
 * A packet that need not arrive is dropped, and the next message begins anew. If it has
 * waited for memory, those that come now would do so too, one after the other, and the end
 * of the QP waits for all of them: they are dropped for as long as one may wait.
 */
void rxe_dmabuf_drop(struct rxe_qp *qp)
{
	qp->resp.drop_msg = 1;
	qp->resp.opcode = -1;
	if (qp->resp.keep_wqe)
		qp->resp.drop_until = (jiffies + dmabuf_wait()) | 1;
}

bool rxe_dmabuf_dropping(struct rxe_qp *qp)
{
	if (likely(!qp->resp.drop_until))
		return false;
	if (time_before(jiffies, qp->resp.drop_until))
		return true;
	qp->resp.drop_until = 0;
	return false;
}

/*
 * Memory of this side is on the move: the send queue goes on after a while, or when the
 * wait after an RNR NAK is over. A response that could not be stored is given up, and what
 * it answers is sent again as after such a NAK. Keeps nothing that the end of the QP waits
 * for: the task ends, rather than to wait again with a timer to run it.
 */
void rxe_dmabuf_later(struct rxe_qp *qp)
{
	unsigned long flags;

	/* The timer clears this with the lock held: one that missed it is not pending. */
	spin_lock_irqsave(&qp->state_lock, flags);
	qp->req.later = 1;
	if (!timer_pending(&qp->rnr_nak_timer))
		mod_timer(&qp->rnr_nak_timer, jiffies + 1);
	spin_unlock_irqrestore(&qp->state_lock, flags);
}

/*
 * A receive that could not be filled stays where it was taken to, because a shared
 * receive queue has it no more. True if there is one: it begins anew.
 */
bool rxe_dmabuf_keep_wqe(struct rxe_qp *qp)
{
	struct rxe_recv_wqe *wqe = qp->resp.wqe;
	bool keep = qp->resp.keep_wqe && wqe;

	qp->resp.keep_wqe = 0;
	if (!keep)
		return false;
	wqe->dma.resid = wqe->dma.length;
	wqe->dma.cur_sge = 0;
	wqe->dma.sge_offset = 0;
	return true;
}

DMA_BUF_IMPORT_NS(DMA_BUF);
