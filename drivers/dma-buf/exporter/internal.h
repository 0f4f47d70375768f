/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _DMA_BUF_EXPORTER_INTERNAL_H
#define _DMA_BUF_EXPORTER_INTERNAL_H

#include <linux/dma-buf.h>
#include <linux/dma-buf-exporter.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/seq_file.h>

/* One ratelimited line for each refusal: which buffer, which rule. */
#define exporter_refuse(exporter, fmt, ...)				\
	do {								\
		const struct dma_buf_exporter *__e = (exporter);	\
									\
		pr_notice_ratelimited("dma_buf_exporter: %s:%llu: " fmt "\n", \
				      __e->ops->name, __e->id, ##__VA_ARGS__); \
	} while (0)

/* backing.c */
unsigned int backing_find(const struct dma_buf_backing *backing, u64 offset);
const char *backing_placement(const struct dma_buf_backing *backing);
pgprot_t backing_pgprot(const struct dma_buf_backing *backing, pgprot_t prot);
struct dma_buf_backing *exporter_backing(struct dma_buf_exporter *exporter);
struct dma_buf_backing *exporter_backing_usable(struct dma_buf_exporter *exporter);
bool exporter_caching_fits(const struct dma_buf_exporter *exporter,
			   const struct dma_buf_backing *to);
bool exporter_backing_fits(const struct dma_buf_exporter *exporter,
			   const struct dma_buf_backing *backing);

/**
 * struct backing_cursor - walks a backing page by page
 * @extent: the extent the cursor is in
 * @pfn: the frame it points at
 * @left: pages of @extent from @pfn on
 */
struct backing_cursor {
	const struct dma_buf_extent *extent;
	unsigned long pfn;
	unsigned long left;
};

void backing_seek(const struct dma_buf_backing *backing,
		  struct backing_cursor *cur, pgoff_t pgoff);

/* Steps to the next page; not past the last one of the buffer. */
static inline void backing_next(struct backing_cursor *cur)
{
	if (likely(--cur->left)) {
		cur->pfn++;
		return;
	}
	cur->extent++;
	cur->pfn = PHYS_PFN(cur->extent->addr);
	cur->left = cur->extent->len >> PAGE_SHIFT;
}

/* Steps over @n pages that are all in the extent; not past the last page. */
static inline void backing_skip(struct backing_cursor *cur, unsigned long n)
{
	cur->pfn += n - 1;
	cur->left -= n - 1;
	backing_next(cur);
}

/* window.c */

/**
 * struct window - a piece of a backing that the kernel has mapped
 * @addr: where
 * @io: it takes the accessors for I/O memory
 * @kind: private to window.c
 */
struct window {
	void *addr;
	bool io;
	u8 kind;
};

unsigned long window_pages(const struct dma_buf_backing *backing);
int window_map(struct window *w, const struct dma_buf_backing *backing,
	       unsigned long pfn, unsigned long n);
void window_unmap(struct window *w);

/* mmap.c */
extern const struct vm_operations_struct exporter_dma_buf_vm_ops;
extern const struct vm_operations_struct exporter_node_vm_ops;
int exporter_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma);

/* Page offset into the buffer of an address in one of its mappings. */
static inline pgoff_t exporter_pgoff(const struct vm_area_struct *vma,
				     unsigned long addr)
{
	const struct dma_buf_exporter *exporter = vma->vm_private_data;
	pgoff_t pgoff = vma->vm_pgoff + ((addr - vma->vm_start) >> PAGE_SHIFT);

	return vma->vm_ops == &exporter_node_vm_ops ? pgoff - exporter->node_pgoff : pgoff;
}

/* fault.c */
vm_fault_t exporter_fault(struct vm_fault *vmf);
vm_fault_t exporter_huge_fault(struct vm_fault *vmf, unsigned int order);

/* access.c */
int exporter_access(struct vm_area_struct *vma, unsigned long addr, void *buf,
		    int len, int write);

/* attach.c */
int exporter_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach);
void exporter_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach);
int exporter_pin(struct dma_buf_attachment *attach);
void exporter_unpin(struct dma_buf_attachment *attach);

/* map.c */
const char *exporter_map_obstacle(const struct dma_buf_backing *backing,
				  const struct dma_buf_attachment *attach);
struct sg_table *exporter_map(struct dma_buf_attachment *attach,
			      enum dma_data_direction dir);
void exporter_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		    enum dma_data_direction dir);
void exporter_unmap_left(struct dma_buf_attachment *attach);
void exporter_sync_for_cpu(struct dma_buf_exporter *exporter);
void exporter_sync_for_device(struct dma_buf_exporter *exporter);

/* vmap.c */
int exporter_vmap(struct dma_buf *dmabuf, struct iosys_map *map);
void exporter_vunmap(struct dma_buf *dmabuf, struct iosys_map *map);

/* quiesce.c */
void exporter_zap(struct dma_buf_exporter *exporter);
void exporter_flush_iotlbs(struct dma_buf_exporter *exporter);
bool exporter_pinned(struct dma_buf_exporter *exporter);
bool exporter_pinned_for_good(struct dma_buf_exporter *exporter);
int exporter_quiesce(struct dma_buf_exporter *exporter, unsigned long timeout);
int exporter_wait_users(struct dma_buf_exporter *exporter, unsigned long start,
			unsigned long timeout, unsigned long *left);
void exporter_let_go(struct dma_buf_exporter *exporter);
int exporter_wait_let_go(struct dma_buf_exporter *exporter, unsigned int seen,
			 unsigned long timeout);

/* Jiffies of @timeout that are left when it began at @start. */
static inline unsigned long exporter_time_left(unsigned long start, unsigned long timeout)
{
	unsigned long gone = jiffies - start;

	if (timeout >= MAX_SCHEDULE_TIMEOUT)
		return MAX_SCHEDULE_TIMEOUT;
	return gone < timeout ? timeout - gone : 0;
}

/* reap.c */
void exporter_bury(struct dma_buf_exporter *exporter, struct dma_buf_backing *backing);
int exporter_copying(struct dma_buf_exporter *exporter, struct dma_buf_backing *to,
		     struct dma_fence *fence);
int exporter_settle(struct dma_buf_exporter *exporter, bool wait, bool intr);
void exporter_reap(struct dma_buf_exporter *exporter);
void exporter_reap_revoked(struct dma_buf_exporter *exporter);
void exporter_reap_later(struct dma_buf_exporter *exporter);
void exporter_reap_all(struct dma_buf_exporter *exporter);
void exporter_reap_setup(struct dma_buf_exporter *exporter);
int exporter_reap_init(void);
void exporter_reap_exit(void);

/* control.c */
int exporter_control_init(void);
void exporter_control_exit(void);

/* exporter.c */
struct dma_buf_exporter *exporter_of(const struct dma_buf *dmabuf);

/* revoke.c */
int exporter_revoke(struct dma_buf_exporter *exporter, unsigned long timeout, bool intr);
int exporter_wait_resumed(struct dma_buf_exporter *exporter);
int exporter_wait_fences(struct dma_buf_exporter *exporter);

/* debugfs.c */
void exporter_live_add(struct dma_buf_exporter *exporter);
void exporter_live_del(struct dma_buf_exporter *exporter);
void exporter_live_prime(void);
void exporter_debugfs_init(void);
void exporter_debugfs_exit(void);

/* A buffer exported without write access is read-only, by every route. */
static inline bool exporter_readonly(const struct dma_buf *dmabuf)
{
	const struct dma_buf_exporter *exporter = dmabuf->priv;

	return exporter->readonly;
}

#endif
