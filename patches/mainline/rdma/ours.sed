# SPDX-License-Identifier: GPL-2.0
# What of our sources mainline has no use for: names for what differs between kernels, and
# allocation as older kernels have it. For sed -E.
/^#include <linux\/dma-buf-compat\.h>$/d
s/DMA_BUF_COMPAT_INVALIDATE\(([a-z_]+)\)/.invalidate_mappings = \1/
s/dma_buf_compat_invalidate\(/dma_buf_invalidate_mappings(/
s/DMA_BUF_IMPORT_NS\(([A-Z_]+)\)/MODULE_IMPORT_NS("\1")/
s/\bkzalloc\(sizeof\((\*[a-z>-]+)\), GFP_KERNEL\)/kzalloc_obj(\1)/
