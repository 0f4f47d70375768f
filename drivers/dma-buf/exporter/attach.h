/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _DMA_BUF_EXPORTER_ATTACH_H
#define _DMA_BUF_EXPORTER_ATTACH_H

#include "internal.h"

/**
 * struct exporter_attachment - what the library keeps for an attachment
 * @pins: pins the importer, or the core for it, has taken
 * @nr_maps: live DMA mappings of the attachment
 *
 * Both are protected by the buffer's dma_resv lock.
 */
struct exporter_attachment {
	unsigned int pins;
	unsigned int nr_maps;
};

#endif
