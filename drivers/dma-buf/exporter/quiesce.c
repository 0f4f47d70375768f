// SPDX-License-Identifier: GPL-2.0
/*
 * Getting everybody off the memory. Importers are told, and have two ways to go
 * on using it for a while: until their fences are signalled they may read and
 * write, and until they unmap their devices may read speculatively. Both are
 * waited for. The processor's own mappings are zapped.
 */
#include <linux/fs.h>
#include <linux/iommu.h>
#include <linux/mm.h>

#include <linux/dma-buf-compat.h>

#include "attach.h"
#include "trace.h"

/* Removes every entry of every user mapping, of the dma-buf and of the node. */
void exporter_zap(struct dma_buf_exporter *exporter)
{
	dma_resv_assert_held(exporter->resv);

	if (exporter->mapping)
		unmap_mapping_range(exporter->mapping, 0, exporter->size, 1);
	if (exporter->node_mapping)
		unmap_mapping_range(exporter->node_mapping,
				    (loff_t)exporter->node_pgoff << PAGE_SHIFT,
				    exporter->size, 1);
}

/*
 * With an IOMMU in lazy mode what was unmapped stays reachable until the next
 * flush of its IOTLB, which may be long after the memory has another owner.
 */
void exporter_flush_iotlb(struct exporter_attachment *ea)
{
	struct iommu_domain *domain;

	if (!ea->unflushed)
		return;
	ea->unflushed = false;
	domain = iommu_get_domain_for_dev(ea->attach->dev);
	if (domain && domain->type == IOMMU_DOMAIN_DMA_FQ)
		iommu_flush_iotlb_all(domain);
}

/* The same for all importers that unmapped and are still attached. */
void exporter_flush_iotlbs(struct dma_buf_exporter *exporter)
{
	struct exporter_attachment *ea;

	dma_resv_assert_held(exporter->resv);

	list_for_each_entry(ea, &exporter->attachments, node)
		exporter_flush_iotlb(ea);
}

/* Somebody has a pin, and cannot be told to give it up. */
bool exporter_pinned_for_good(struct dma_buf_exporter *exporter)
{
	struct exporter_attachment *ea;

	dma_resv_assert_held(exporter->resv);

	list_for_each_entry(ea, &exporter->attachments, node)
		if (exporter_attachment_pins(ea) && !dma_buf_compat_revocable(ea->attach))
			return true;
	return false;
}

/* Somebody has a pin. */
bool exporter_pinned(struct dma_buf_exporter *exporter)
{
	struct exporter_attachment *ea;

	dma_resv_assert_held(exporter->resv);

	list_for_each_entry(ea, &exporter->attachments, node)
		if (exporter_attachment_pins(ea))
			return true;
	return false;
}

/**
 * exporter_quiesce - stop importers
 * @exporter: the buffer
 * @timeout: how long to wait for fences, in jiffies; 0 fails instead
 *
 * Context: dma_resv lock held, and held throughout: who is told to unmap may
 * need it to do so. The caller drops it, waits with exporter_wait_let_go(), takes
 * it again and calls this again, for there may be new mappings.
 *
 * Return: 0 when no device and no kernel mapping reaches the memory; 1 when
 * somebody has to let go first: of a mapping, or of a fence if @timeout is 0;
 * -ETIMEDOUT, -EINTR.
 */
int exporter_quiesce(struct dma_buf_exporter *exporter, unsigned long timeout)
{
	long wait;

	dma_resv_assert_held(exporter->resv);

	/* Do not disturb importers for nothing. */
	if (!timeout && !dma_resv_test_signaled(exporter->resv, DMA_RESV_USAGE_BOOKKEEP))
		return 1;

	if (exporter->dmabuf) {
		trace_dma_buf_exporter_invalidate(exporter);
		dma_buf_compat_invalidate(exporter->dmabuf);
	}
	wait = dma_resv_wait_timeout(exporter->resv, DMA_RESV_USAGE_BOOKKEEP, true,
				     timeout);
	if (wait < 0)
		return -EINTR;
	if (!wait)
		return timeout ? -ETIMEDOUT : 1;
	if (!list_empty(&exporter->maps) || exporter->vmap_addr)
		return 1;
	exporter_flush_iotlbs(exporter);
	return 0;
}

/**
 * exporter_wait_users - wait for the fences of all who use the memory
 * @exporter: the buffer
 * @start: jiffies when @timeout began
 * @timeout: in jiffies
 * @left: set to what is left of @timeout, unless a signal came
 *
 * Context: without the dma_resv lock: there may be new fences when this returns.
 *
 * Return: 0, -ETIMEDOUT or -EINTR.
 */
int exporter_wait_users(struct dma_buf_exporter *exporter, unsigned long start,
			unsigned long timeout, unsigned long *left)
{
	long ret = dma_resv_wait_timeout(exporter->resv, DMA_RESV_USAGE_BOOKKEEP, true,
					 exporter_time_left(start, timeout));

	if (ret < 0)
		return -EINTR;
	*left = ret;
	return ret ? 0 : -ETIMEDOUT;
}

/* Somebody has let go of the memory, or given up a pin. */
void exporter_let_go(struct dma_buf_exporter *exporter)
{
	dma_resv_assert_held(exporter->resv);

	WRITE_ONCE(exporter->nr_let_go, exporter->nr_let_go + 1);
	if (exporter->revoked)
		exporter_reap_later(exporter);
	wake_up_all(&exporter->idle);
}

/**
 * exporter_wait_let_go - wait until somebody lets go
 * @exporter: the buffer
 * @seen: &dma_buf_exporter.nr_let_go when somebody was found to be in the way,
 *	read before the dma_resv lock was dropped
 * @timeout: in jiffies
 *
 * Context: without the dma_resv lock.
 *
 * Return: 0 when it is worth trying again, -ETIMEDOUT or -EINTR.
 */
int exporter_wait_let_go(struct dma_buf_exporter *exporter, unsigned int seen,
			 unsigned long timeout)
{
	long left;

	left = wait_event_interruptible_timeout(exporter->idle,
						READ_ONCE(exporter->revoked) ||
						READ_ONCE(exporter->nr_let_go) != seen,
						timeout);
	if (left < 0)
		return -EINTR;
	return left ? 0 : -ETIMEDOUT;
}
