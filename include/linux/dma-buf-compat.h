/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the kernels the exporter and importer libraries support
 * (6.12 and 7.x), in one place. Code elsewhere never asks for a version.
 */
#ifndef _LINUX_DMA_BUF_COMPAT_H
#define _LINUX_DMA_BUF_COMPAT_H

#include <linux/dma-buf.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/version.h>
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 17, 0)
#include <linux/pfn_t.h>
#endif

/* 6.13: symbol namespaces became string literals. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define DMA_BUF_IMPORT_NS(ns)	MODULE_IMPORT_NS(#ns)
#else
#define DMA_BUF_IMPORT_NS(ns)	MODULE_IMPORT_NS(ns)
#endif

/* 6.17: pfn_t is gone. */
static inline vm_fault_t dma_buf_insert_pfn_pmd(struct vm_fault *vmf,
						unsigned long pfn, bool write)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0)
	return vmf_insert_pfn_pmd(vmf, pfn, write);
#else
	return vmf_insert_pfn_pmd(vmf, __pfn_to_pfn_t(pfn, PFN_DEV), write);
#endif
}

/*
 * 7.0: the importers' callback says what it does, a pinned importer that has one
 * can be told to let go, and nothing but a static importer pins by mapping.
 * Before, the core pinned on every map unless DMABUF_MOVE_NOTIFY was set.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 0, 0)
#define DMA_BUF_COMPAT_INVALIDATE(fn)	.invalidate_mappings = (fn)
#define DMA_BUF_COMPAT_PIN_ON_MAP	0

static inline void dma_buf_compat_invalidate(struct dma_buf *dmabuf)
{
	dma_buf_invalidate_mappings(dmabuf);
}

static inline bool dma_buf_compat_revocable(struct dma_buf_attachment *attach)
{
	return dma_buf_attach_revocable(attach);
}
#else
#define DMA_BUF_COMPAT_INVALIDATE(fn)	.move_notify = (fn)
#define DMA_BUF_COMPAT_PIN_ON_MAP	(!IS_ENABLED(CONFIG_DMABUF_MOVE_NOTIFY))

static inline void dma_buf_compat_invalidate(struct dma_buf *dmabuf)
{
	dma_buf_move_notify(dmabuf);
}

static inline bool dma_buf_compat_revocable(struct dma_buf_attachment *attach)
{
	return false;
}
#endif

/* 7.1: the function has a name that says where it may be used. */
static inline void dma_buf_compat_zap_vma(struct vm_area_struct *vma)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 1, 0)
	zap_special_vma_range(vma, vma->vm_start, vma->vm_end - vma->vm_start);
#else
	zap_vma_ptes(vma, vma->vm_start, vma->vm_end - vma->vm_start);
#endif
}

/* 7.2: modules may add heaps, and the core has the switch for accounting. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0)
#define DMA_BUF_COMPAT_HEAP_ADD	1
#else
#define DMA_BUF_COMPAT_HEAP_ADD	0
#endif

/*
 * 7.3: mbind() with MPOL_MF_STRICT sees that a PMD is special. Before, it looked at
 * the struct page of the frame: an oops, for whoever may call it, if there is none.
 * (The first version that is known to be right: a later 6.12 may be, too.)
 */
#define DMA_BUF_COMPAT_UNPAGED_PMD	(LINUX_VERSION_CODE >= KERNEL_VERSION(7, 3, 0))

#endif
