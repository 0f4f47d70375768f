/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _SELFTESTS_RDMA_HEAPBUF_H
#define _SELFTESTS_RDMA_HEAPBUF_H

#include <stddef.h>

/* What the C library calls its own, for those who replace the public ones. */
void *__libc_malloc(size_t size);
void *__libc_memalign(size_t align, size_t size);
void __libc_free(void *p);

#endif
