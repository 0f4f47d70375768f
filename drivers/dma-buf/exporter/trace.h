/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM dma_buf_exporter

#if !defined(_DMA_BUF_EXPORTER_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _DMA_BUF_EXPORTER_TRACE_H

#include <linux/tracepoint.h>

#include "internal.h"

#define show_fault_result(ret)						\
	__print_symbolic(ret,						\
		{ (__force unsigned int)VM_FAULT_NOPAGE, "mapped" },	\
		{ (__force unsigned int)VM_FAULT_RETRY, "retry" },	\
		{ (__force unsigned int)VM_FAULT_FALLBACK, "fallback" }, \
		{ (__force unsigned int)VM_FAULT_OOM, "oom" },		\
		{ (__force unsigned int)VM_FAULT_SIGBUS, "sigbus" })

#define show_policy(policy)						\
	__print_symbolic(policy,					\
		{ DMA_BUF_MOVE_WAIT, "wait" },				\
		{ DMA_BUF_MOVE_REVOKE, "revoke" },			\
		{ DMA_BUF_MOVE_BLOCK, "block" })

DECLARE_EVENT_CLASS(dma_buf_exporter_buffer,
	TP_PROTO(struct dma_buf_exporter *exporter),
	TP_ARGS(exporter),
	TP_STRUCT__entry(
		__string(name, exporter->ops->name)
		__field(u64, id)
		__field(u64, size)
	),
	TP_fast_assign(
		__assign_str(name);
		__entry->id = exporter->id;
		__entry->size = exporter->size;
	),
	TP_printk("%s:%llu size=%llu", __get_str(name), __entry->id, __entry->size)
);

DEFINE_EVENT(dma_buf_exporter_buffer, dma_buf_exporter_export,
	TP_PROTO(struct dma_buf_exporter *exporter),
	TP_ARGS(exporter));

DEFINE_EVENT(dma_buf_exporter_buffer, dma_buf_exporter_release,
	TP_PROTO(struct dma_buf_exporter *exporter),
	TP_ARGS(exporter));

DEFINE_EVENT(dma_buf_exporter_buffer, dma_buf_exporter_pin,
	TP_PROTO(struct dma_buf_exporter *exporter),
	TP_ARGS(exporter));

DEFINE_EVENT(dma_buf_exporter_buffer, dma_buf_exporter_unpin,
	TP_PROTO(struct dma_buf_exporter *exporter),
	TP_ARGS(exporter));

DEFINE_EVENT(dma_buf_exporter_buffer, dma_buf_exporter_invalidate,
	TP_PROTO(struct dma_buf_exporter *exporter),
	TP_ARGS(exporter));

DEFINE_EVENT(dma_buf_exporter_buffer, dma_buf_exporter_revoke,
	TP_PROTO(struct dma_buf_exporter *exporter),
	TP_ARGS(exporter));

DEFINE_EVENT(dma_buf_exporter_buffer, dma_buf_exporter_suspend,
	TP_PROTO(struct dma_buf_exporter *exporter),
	TP_ARGS(exporter));

DEFINE_EVENT(dma_buf_exporter_buffer, dma_buf_exporter_resume,
	TP_PROTO(struct dma_buf_exporter *exporter),
	TP_ARGS(exporter));

TRACE_EVENT(dma_buf_exporter_move_start,
	TP_PROTO(struct dma_buf_exporter *exporter,
		 const struct dma_buf_backing *to, enum dma_buf_move_policy policy),
	TP_ARGS(exporter, to, policy),
	TP_STRUCT__entry(
		__string(name, exporter->ops->name)
		__string(placement, to->placement ?: "-")
		__field(u64, id)
		__field(u64, size)
		__field(unsigned int, extents)
		__field(unsigned int, policy)
	),
	TP_fast_assign(
		__assign_str(name);
		__assign_str(placement);
		__entry->id = exporter->id;
		__entry->size = exporter->size;
		__entry->extents = to->nr_extents;
		__entry->policy = policy;
	),
	TP_printk("%s:%llu size=%llu to=%s extents=%u policy=%s",
		  __get_str(name), __entry->id, __entry->size, __get_str(placement),
		  __entry->extents, show_policy(__entry->policy))
);

DECLARE_EVENT_CLASS(dma_buf_exporter_result,
	TP_PROTO(struct dma_buf_exporter *exporter, int ret),
	TP_ARGS(exporter, ret),
	TP_STRUCT__entry(
		__string(name, exporter->ops->name)
		__field(u64, id)
		__field(int, ret)
	),
	TP_fast_assign(
		__assign_str(name);
		__entry->id = exporter->id;
		__entry->ret = ret;
	),
	TP_printk("%s:%llu ret=%d", __get_str(name), __entry->id, __entry->ret)
);

DEFINE_EVENT(dma_buf_exporter_result, dma_buf_exporter_move_end,
	TP_PROTO(struct dma_buf_exporter *exporter, int ret),
	TP_ARGS(exporter, ret));

DEFINE_EVENT(dma_buf_exporter_result, dma_buf_exporter_copied,
	TP_PROTO(struct dma_buf_exporter *exporter, int ret),
	TP_ARGS(exporter, ret));

TRACE_EVENT(dma_buf_exporter_fault,
	TP_PROTO(struct dma_buf_exporter *exporter, struct vm_fault *vmf,
		 unsigned long size, vm_fault_t ret),
	TP_ARGS(exporter, vmf, size, ret),
	TP_STRUCT__entry(
		__string(name, exporter->ops->name)
		__field(u64, id)
		__field(unsigned long, address)
		__field(unsigned long, pgoff)
		__field(unsigned long, size)
		__field(unsigned int, flags)
		__field(unsigned int, ret)
	),
	TP_fast_assign(
		__assign_str(name);
		__entry->id = exporter->id;
		__entry->address = vmf->address;
		__entry->pgoff = exporter_pgoff(vmf->vma, vmf->address);
		__entry->size = size;
		__entry->flags = vmf->flags;
		__entry->ret = (__force unsigned int)ret;
	),
	TP_printk("%s:%llu address=0x%lx pgoff=0x%lx size=0x%lx flags=%s ret=%s",
		  __get_str(name), __entry->id, __entry->address, __entry->pgoff,
		  __entry->size,
		  __print_flags(__entry->flags, "|", FAULT_FLAG_TRACE),
		  show_fault_result(__entry->ret))
);

DECLARE_EVENT_CLASS(dma_buf_exporter_mapping,
	TP_PROTO(struct dma_buf_exporter *exporter, struct device *dev,
		 enum dma_data_direction dir, unsigned int nents),
	TP_ARGS(exporter, dev, dir, nents),
	TP_STRUCT__entry(
		__string(name, exporter->ops->name)
		__string(dev, dev_name(dev))
		__field(u64, id)
		__field(int, dir)
		__field(unsigned int, nents)
	),
	TP_fast_assign(
		__assign_str(name);
		__assign_str(dev);
		__entry->id = exporter->id;
		__entry->dir = dir;
		__entry->nents = nents;
	),
	TP_printk("%s:%llu dev=%s dir=%d nents=%u", __get_str(name), __entry->id,
		  __get_str(dev), __entry->dir, __entry->nents)
);

DEFINE_EVENT(dma_buf_exporter_mapping, dma_buf_exporter_map,
	TP_PROTO(struct dma_buf_exporter *exporter, struct device *dev,
		 enum dma_data_direction dir, unsigned int nents),
	TP_ARGS(exporter, dev, dir, nents));

DEFINE_EVENT(dma_buf_exporter_mapping, dma_buf_exporter_unmap,
	TP_PROTO(struct dma_buf_exporter *exporter, struct device *dev,
		 enum dma_data_direction dir, unsigned int nents),
	TP_ARGS(exporter, dev, dir, nents));

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
