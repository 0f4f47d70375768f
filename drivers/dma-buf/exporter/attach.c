// SPDX-License-Identifier: GPL-2.0
/*
 * Attachments and pins. A pin belongs to the attachment that took it and must be
 * matched by it. A kernel without DMABUF_MOVE_NOTIFY pins for the importer on
 * every dynamic mapping, and that is counted here too.
 */
#include <linux/slab.h>

#include "attach.h"
#include "trace.h"

int exporter_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct dma_buf_exporter *exporter = dmabuf->priv;
	struct exporter_attachment *ea;
	int ret;

	if (exporter->ops->attach) {
		ret = exporter->ops->attach(exporter, attach);
		if (ret)
			return ret;
	}
	ea = kzalloc(sizeof(*ea), GFP_KERNEL);
	if (!ea)
		return -ENOMEM;
	attach->priv = ea;

	dma_resv_lock(exporter->resv, NULL);
	exporter->nr_attachments++;
	dma_resv_unlock(exporter->resv);
	return 0;
}

void exporter_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct dma_buf_exporter *exporter = dmabuf->priv;
	struct exporter_attachment *ea = attach->priv;

	dma_resv_lock(exporter->resv, NULL);
	exporter->nr_attachments--;
	if (WARN_ON(ea->pins || ea->nr_maps))
		exporter->nr_pins -= ea->pins;
	dma_resv_unlock(exporter->resv);
	kfree(ea);
}

int exporter_pin(struct dma_buf_attachment *attach)
{
	struct dma_buf_exporter *exporter = attach->dmabuf->priv;
	struct exporter_attachment *ea = attach->priv;

	dma_resv_assert_held(exporter->resv);

	ea->pins++;
	exporter->nr_pins++;
	trace_dma_buf_exporter_pin(exporter);
	return 0;
}

void exporter_unpin(struct dma_buf_attachment *attach)
{
	struct dma_buf_exporter *exporter = attach->dmabuf->priv;
	struct exporter_attachment *ea = attach->priv;

	dma_resv_assert_held(exporter->resv);

	if (WARN_ON(!ea->pins))
		return;
	ea->pins--;
	exporter->nr_pins--;
	trace_dma_buf_exporter_unpin(exporter);
}
