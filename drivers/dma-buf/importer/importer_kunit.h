/* SPDX-License-Identifier: GPL-2.0 */
/* The exporter of the KUnit tests: it answers as it is told to, and counts. */
#ifndef _DMA_BUF_IMPORTER_KUNIT_H
#define _DMA_BUF_IMPORTER_KUNIT_H

#include <kunit/test.h>

#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/platform_device.h>

/* The exporter: a page, and how often it was mapped, and so on. */
struct fake {
	struct dma_buf *dmabuf;
	struct platform_device *pdev;
	void *page;
	int map_error;
	int attached, maps, mapped, vmaps, vmapped, pins;
	struct dma_fence *fence;
	bool copies;
};

extern const struct dma_buf_ops fake_ops;
extern const struct dma_buf_ops fake_static_ops;
extern const struct dma_buf_ops fake_no_vmap_ops;

void fake_export(struct kunit *test, const struct dma_buf_ops *ops, int flags);
void fake_move(struct fake *fake);
void fake_busy(struct kunit *test, enum dma_resv_usage usage);
void fake_idle(struct fake *fake);

#endif
