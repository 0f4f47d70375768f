/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _DMA_BUF_EXPORTER_ATTACH_H
#define _DMA_BUF_EXPORTER_ATTACH_H

#include <linux/sched.h>

#include <linux/dma-buf-compat.h>

#include "internal.h"

/**
 * struct exporter_attachment - what the library keeps for an attachment
 * @attach: the core's part
 * @node: in &dma_buf_exporter.attachments
 * @pins: pins the importer, or the core for it, has taken
 * @nr_maps: live DMA mappings of the attachment
 * @unflushed: mappings have gone since the IOTLB was flushed
 * @pinned: the pins are counted against the limits
 * @since: when that began, in ns of CLOCK_MONOTONIC
 * @user: who attached, if the limit on locked memory holds for them
 * @locked: pages charged to @user
 * @limit: the most pages @user may have locked
 * @pid: the process that attached
 * @comm: its name
 *
 * All are protected by the buffer's dma_resv lock.
 */
struct exporter_attachment {
	struct dma_buf_attachment *attach;
	struct list_head node;
	unsigned int pins;
	unsigned int nr_maps;
	bool unflushed;

	/* pin.c */
	bool pinned;
	u64 since;
	struct user_struct *user;
	unsigned long locked;
	unsigned long limit;
	pid_t pid;
	char comm[TASK_COMM_LEN];
};

/*
 * Pins the importer took, or that a mapping is because it cannot be told to go.
 * Those the core takes for every mapping are not among them.
 */
static inline unsigned int exporter_attachment_pins(const struct exporter_attachment *ea)
{
	if (DMA_BUF_COMPAT_PIN_ON_MAP && ea->attach->importer_ops)
		return ea->pins - ea->nr_maps;
	return ea->pins;
}

/* quiesce.c */
void exporter_flush_iotlb(struct exporter_attachment *ea);

/* pin.c */
unsigned int exporter_pins(const struct dma_buf_exporter *exporter);
void exporter_pin_attach(struct exporter_attachment *ea);
void exporter_pin_detach(struct exporter_attachment *ea);
int exporter_pin_account(struct dma_buf_exporter *exporter,
			 struct exporter_attachment *ea);

#endif
