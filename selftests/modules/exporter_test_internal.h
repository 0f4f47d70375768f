/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _EXPORTER_TEST_INTERNAL_H
#define _EXPORTER_TEST_INTERNAL_H

#include <linux/dma-resv.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/types.h>

#include "exporter_test.h"

/* Each buffer has its own 1 GiB window of the node, in pages, from 1 on. */
#define ET_NODE_WINDOW	(SZ_1G >> PAGE_SHIFT)

struct device;
struct dma_buf_exporter;
struct dma_fence;
struct file;
struct vm_area_struct;

/* exporter_test_memory.c */
struct dma_buf_backing *et_memory_get(const struct et_alloc *how);
void et_memory_put(struct dma_buf_backing *backing);
void et_memory_set_flags(struct dma_buf_backing *backing, u32 flags);
u32 et_memory_flags(const struct dma_buf_backing *backing);
struct device *et_memory_device(void);
void et_memory_exit(void);

/* exporter_test_exporter.c */
int et_buffer_alloc(struct et_alloc *how, struct address_space *node_mapping);
int et_buffer_free(u32 id);
int et_buffer_export(u32 id);
int et_buffer_mmap(struct vm_area_struct *vma);
struct dma_buf_exporter *et_buffer_get(u32 id);
void et_buffer_put(struct dma_buf_exporter *exporter);
void et_buffer_stats(struct et_stats *stats);
void et_buffer_exit(void);

/* exporter_test_importer.c */
int et_import(struct et_import *import, struct device *dev);
int et_unimport(u32 id);
int et_unmap(u32 id);
int et_pin(u32 id, bool pin);
u64 et_invalidates(void);
int et_vhold(int fd);
int et_vdrop(void);
int et_dma(const struct et_copy *copy);
int et_vmap(struct et_copy *copy);
void *et_device_begin(const struct et_copy *copy, struct dma_fence *fence);
void et_import_exit(void);

/* exporter_test_job.c */
void et_device_copy(void *mem, const struct et_copy *copy, void *bounce);
int et_job(const struct et_copy *copy);

/* exporter_test_sync.c */
int et_hold(int fd);
int et_release(void);
int et_fence(int fd, enum dma_resv_usage usage, bool loose);
int et_signal(void);
struct dma_fence *et_fence_create(bool loose);
void et_sync_exit(void);

/* exporter_test_move.c */
struct dma_fence *et_copy(struct dma_buf_exporter *exporter,
			  struct dma_buf_backing *to,
			  const struct dma_buf_backing *from);
int et_move(struct et_move *move);
int et_move_go(int error);
int et_move_finish(int error);
int et_revoke(struct et_move *move);
int et_resume(u32 id);
void et_move_exit(void);

#endif
