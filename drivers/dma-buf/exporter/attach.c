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

	if (READ_ONCE(exporter->revoked))
		return -ENODEV;
	if (exporter->ops->attach) {
		ret = exporter->ops->attach(exporter, attach);
		if (ret)
			return ret;
	}
	ea = kzalloc(sizeof(*ea), GFP_KERNEL);
	if (!ea)
		return -ENOMEM;
	ea->attach = attach;
	attach->priv = ea;
	exporter_pin_attach(ea);

	dma_resv_lock(exporter->resv, NULL);
	list_add_tail(&ea->node, &exporter->attachments);
	dma_resv_unlock(exporter->resv);
	return 0;
}

void exporter_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct dma_buf_exporter *exporter = dmabuf->priv;
	struct exporter_attachment *ea = attach->priv;

	dma_resv_lock(exporter->resv, NULL);
	list_del(&ea->node);
	if (WARN_ON(ea->pins || ea->nr_maps)) {
		exporter_unmap_left(attach);
		ea->pins = 0;
		exporter_pin_account(exporter, ea);
		exporter_let_go(exporter);
	}
	exporter_flush_iotlb(ea);
	dma_resv_unlock(exporter->resv);
	exporter_pin_detach(ea);
	kfree(ea);
}

int exporter_pin(struct dma_buf_attachment *attach)
{
	struct dma_buf_exporter *exporter = attach->dmabuf->priv;
	struct exporter_attachment *ea = attach->priv;
	int ret;

	dma_resv_assert_held(exporter->resv);

	if (exporter->revoked)
		return -ENODEV;
	ea->pins++;
	ret = exporter_pin_account(exporter, ea);
	if (ret) {
		ea->pins--;
		return ret;
	}
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
	exporter_pin_account(exporter, ea);
	trace_dma_buf_exporter_unpin(exporter);
	exporter_let_go(exporter);
}
