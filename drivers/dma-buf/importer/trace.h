/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM dma_buf_importer

#if !defined(_DMA_BUF_IMPORTER_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _DMA_BUF_IMPORTER_TRACE_H

#include <linux/tracepoint.h>

#include "internal.h"

#define show_mode(mode)							\
	__print_symbolic(mode,						\
		{ DMA_BUF_IMPORTER_CPU, "cpu" },			\
		{ DMA_BUF_IMPORTER_DMA, "dma" })

DECLARE_EVENT_CLASS(dma_buf_importer_event,
	TP_PROTO(struct dma_buf_importer *importer),
	TP_ARGS(importer),
	TP_STRUCT__entry(
		__string(name, importer->dmabuf->exp_name)
		__field(u64, ino)
		__field(size_t, size)
		__field(int, mode)
	),
	TP_fast_assign(
		__assign_str(name);
		__entry->ino = file_inode(importer->dmabuf->file)->i_ino;
		__entry->size = importer->dmabuf->size;
		__entry->mode = importer->mode;
	),
	TP_printk("%s:%llu size=%zu %s", __get_str(name), __entry->ino, __entry->size,
		  show_mode(__entry->mode))
);

DEFINE_EVENT(dma_buf_importer_event, dma_buf_importer_create,
	TP_PROTO(struct dma_buf_importer *importer),
	TP_ARGS(importer));

DEFINE_EVENT(dma_buf_importer_event, dma_buf_importer_destroy,
	TP_PROTO(struct dma_buf_importer *importer),
	TP_ARGS(importer));

DEFINE_EVENT(dma_buf_importer_event, dma_buf_importer_invalidate,
	TP_PROTO(struct dma_buf_importer *importer),
	TP_ARGS(importer));

TRACE_EVENT(dma_buf_importer_map,
	TP_PROTO(struct dma_buf_importer *importer, int ret),
	TP_ARGS(importer, ret),
	TP_STRUCT__entry(
		__string(name, importer->dmabuf->exp_name)
		__field(u64, ino)
		__field(int, mode)
		__field(int, ret)
	),
	TP_fast_assign(
		__assign_str(name);
		__entry->ino = file_inode(importer->dmabuf->file)->i_ino;
		__entry->mode = importer->mode;
		__entry->ret = ret;
	),
	TP_printk("%s:%llu %s ret=%d", __get_str(name), __entry->ino,
		  show_mode(__entry->mode), __entry->ret)
);

TRACE_EVENT(dma_buf_importer_lookup,
	TP_PROTO(struct dma_buf *dmabuf, unsigned long start, u64 length, u64 offset),
	TP_ARGS(dmabuf, start, length, offset),
	TP_STRUCT__entry(
		__string(name, dmabuf->exp_name)
		__field(u64, ino)
		__field(unsigned long, start)
		__field(u64, length)
		__field(u64, offset)
	),
	TP_fast_assign(
		__assign_str(name);
		__entry->ino = file_inode(dmabuf->file)->i_ino;
		__entry->start = start;
		__entry->length = length;
		__entry->offset = offset;
	),
	TP_printk("%s:%llu start=%#lx length=%llu offset=%llu", __get_str(name),
		  __entry->ino, __entry->start, __entry->length, __entry->offset)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
