// SPDX-License-Identifier: GPL-2.0
/* What user space is told about a buffer. */
#include <linux/dma-buf.h>
#include <linux/list.h>
#include <linux/string.h>

#include <linux/dma-buf-compat.h>
#include <uapi/linux/dma-buf-exporter.h>

#include "attach.h"
#include "control.h"

/* What is asked for: what the caller left in the rest is no part of the answer. */
int control_read_info(struct dma_buf_exporter_info *info, const void __user *arg)
{
	struct dma_buf_exporter_info in = {};
	int ret;

	ret = control_read(&in, sizeof(in), offsetofend(typeof(in), fd), arg);
	if (ret)
		return ret;
	if (in.flags)
		return -EINVAL;
	*info = (struct dma_buf_exporter_info) { .size = in.size, .fd = in.fd };
	return 0;
}

static u32 info_state(const struct dma_buf_exporter *exporter)
{
	return (exporter->readonly ? DMA_BUF_EXPORTER_READONLY : 0) |
	       (exporter->revoked ? DMA_BUF_EXPORTER_REVOKED : 0) |
	       (exporter->suspended ? DMA_BUF_EXPORTER_SUSPENDED : 0) |
	       (exporter->copying ? DMA_BUF_EXPORTER_COPYING : 0);
}

static void info_backing(struct dma_buf_exporter_info *info,
			 const struct dma_buf_backing *backing)
{
	if (!backing)
		return;
	info->extents = backing->nr_extents;
	for (unsigned int i = 0; i < backing->nr_extents; i++)
		info->largest_extent = max_t(u64, info->largest_extent,
					     backing->extents[i].len);
	strscpy_pad(info->placement, backing_placement(backing));
}

/* Fills in all that is an answer. 0, or -EINTR. */
int exporter_info(struct dma_buf_exporter *exporter, struct dma_buf_exporter_info *info)
{
	const struct dma_buf_exporter_stats *stats = &exporter->stats;
	int ret;

	ret = dma_resv_lock_interruptible(exporter->resv, NULL);
	if (ret)
		return ret;
	/* A copy that is over is over, whether somebody looked or not. */
	exporter_settle(exporter, false, false);

	info->state = info_state(exporter);
	info->id = exporter->id;
	info->length = exporter->size;
	info->moves = stats->moves;
	info->moves_failed = stats->moves_failed;
	info->pmd_faults = stats->faults_pmd;
	info->pte_faults = stats->faults_pte;
	info->mappings = atomic_read(&exporter->nr_vmas);
	info->attachments = list_count_nodes(&exporter->attachments);
	info->maps = list_count_nodes(&exporter->maps);
	info->pins = exporter_pins(exporter);
	info->vmaps = exporter->dmabuf ? exporter->dmabuf->vmapping_counter : 0;
	strscpy_pad(info->exporter, exporter->ops->name);
	info_backing(info, exporter->backing);
	dma_resv_unlock(exporter->resv);
	return 0;
}
