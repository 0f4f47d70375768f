/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _DMA_BUF_EXPORTER_CONTROL_H
#define _DMA_BUF_EXPORTER_CONTROL_H

#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/uaccess.h>

struct dma_buf;
struct dma_buf_exporter;
struct dma_buf_exporter_info;
struct file;

/*
 * Reads a structure that begins with its size: at least @min bytes, the rest of
 * which the caller may not know, and at most a page. -EINVAL, -E2BIG or -EFAULT.
 */
static inline int control_read(void *to, size_t ksize, size_t min,
			       const void __user *from)
{
	u32 usize;

	if (get_user(usize, (const u32 __user *)from))
		return -EFAULT;
	if (usize < min)
		return -EINVAL;
	if (usize > PAGE_SIZE)
		return -E2BIG;
	return copy_struct_from_user(to, ksize, from, usize);
}

/* The answer, as much of it as the caller has room for. */
static inline int control_write(void __user *to, const void *from, size_t ksize)
{
	u32 usize = *(const u32 *)from;

	return copy_to_user(to, from, min_t(size_t, usize, ksize)) ? -EFAULT : 0;
}

/* A name that ends, or -EINVAL. */
static inline int control_check_name(const char *name, size_t len)
{
	return strnlen(name, len) < len ? 0 : -EINVAL;
}

/* info.c */
int control_read_info(struct dma_buf_exporter_info *info, const void __user *arg);
int exporter_info(struct dma_buf_exporter *exporter, struct dma_buf_exporter_info *info);

/* handle.c */
struct file *handle_create(struct dma_buf *dmabuf);

#endif
