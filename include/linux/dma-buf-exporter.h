/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Exporter library: a driver brings memory, the library makes a dma-buf of it
 * whose user mappings nobody can pin. See "DOC: exporter library" in
 * drivers/dma-buf/exporter/exporter.c.
 */
#ifndef _LINUX_DMA_BUF_EXPORTER_H
#define _LINUX_DMA_BUF_EXPORTER_H

#include <linux/atomic.h>
#include <linux/dma-direction.h>
#include <linux/dma-resv.h>
#include <linux/gfp_types.h>
#include <linux/list.h>
#include <linux/types.h>

struct dma_buf;
struct dma_buf_attachment;
struct dma_buf_exporter;
struct iosys_map;
struct module;
struct vm_area_struct;

/**
 * enum dma_buf_caching - how the processor caches a backing
 * @DMA_BUF_CACHED: write-back, as normal memory.
 * @DMA_BUF_WRITECOMBINE: writes are combined, reads are not cached.
 * @DMA_BUF_UNCACHED: every access reaches the memory or device.
 *
 * The library asks for this attribute in every mapping it makes. Giving the
 * memory the matching memory type is up to the driver, where the architecture
 * has one: set_pages_array_wc() for RAM, arch_io_reserve_memtype_wc() for a
 * PCI BAR, a live memremap() for cached memory without struct page.
 */
enum dma_buf_caching {
	DMA_BUF_CACHED,
	DMA_BUF_WRITECOMBINE,
	DMA_BUF_UNCACHED,
};

/**
 * struct dma_buf_extent - a physically contiguous piece of a backing
 * @addr: physical address, page aligned
 * @offset: where the piece begins in the buffer, in bytes
 * @len: length in bytes, a multiple of the page size
 */
struct dma_buf_extent {
	phys_addr_t addr;
	u64 offset;
	u64 len;
};

/**
 * struct dma_buf_backing - where a buffer's memory is
 * @caching: the attribute of CPU mappings; I/O memory is not cached
 * @io: the memory needs the accessors for I/O memory
 * @priv: for the driver, to find what it has to free
 * @paged: every frame has a struct page (set by dma_buf_backing_add())
 * @nr_extents: number of entries of @extents in use
 * @max_extents: number of entries of @extents there is room for
 * @size: sum of the lengths of the extents, in bytes
 * @extents: the pieces, in buffer order
 *
 * The driver sets @caching, @io and @priv, adds extents, and hands the backing
 * to an exporter; it does not change it after that. The cost is one entry for
 * each contiguous piece, whatever the size of the buffer.
 */
struct dma_buf_backing {
	enum dma_buf_caching caching;
	bool io;
	void *priv;

	/* filled in by dma_buf_backing_add() */
	bool paged;
	unsigned int nr_extents;
	unsigned int max_extents;
	u64 size;
	struct dma_buf_extent extents[] __counted_by(max_extents);
};

struct dma_buf_backing *dma_buf_backing_alloc(unsigned int max_extents, gfp_t gfp);
void dma_buf_backing_free(struct dma_buf_backing *backing);
int dma_buf_backing_add(struct dma_buf_backing *backing, phys_addr_t addr, u64 len);

/**
 * struct dma_buf_exporter_ops - what a driver does for its buffers
 */
struct dma_buf_exporter_ops {
	/**
	 * @owner:
	 *
	 * The driver's module. It stays loaded while a dma-buf of it lives.
	 */
	struct module *owner;

	/**
	 * @name:
	 *
	 * Exporter name, as it appears in fdinfo, debugfs and messages.
	 */
	const char *name;

	/**
	 * @release:
	 *
	 * The dma-buf is gone: its last file reference, mapping, attachment and
	 * vmap. A driver whose buffer is nothing but the dma-buf calls
	 * dma_buf_exporter_fini() and frees it; one whose object lives longer
	 * drops the reference it took for dma_buf_exporter_export(). Called
	 * without locks; may sleep. Mandatory.
	 */
	void (*release)(struct dma_buf_exporter *exporter);

	/**
	 * @free_backing:
	 *
	 * Nothing refers to @backing any more: take the memory back, then call
	 * dma_buf_backing_free(). May sleep. Mandatory.
	 */
	void (*free_backing)(struct dma_buf_exporter *exporter,
			     struct dma_buf_backing *backing);

	/**
	 * @populate:
	 *
	 * Provide the memory on first use (mmap, DMA mapping, vmap). It must be
	 * zeroed. Called with the buffer's dma_resv lock held, from mmap() with
	 * mmap_lock too; may sleep, must be killable. Returns the backing or an
	 * ERR_PTR, which the first user gets. Optional: without it the driver
	 * calls dma_buf_exporter_set_backing() before it exports.
	 */
	struct dma_buf_backing *(*populate)(struct dma_buf_exporter *exporter);

	/**
	 * @attach:
	 *
	 * Say no to a device that cannot reach the memory, or clear
	 * attach->peer2peer where pci_p2pdma_distance() says that it must not be
	 * reached from device to device. Called without locks; may sleep. Returns
	 * 0 or a negative errno. Optional.
	 */
	int (*attach)(struct dma_buf_exporter *exporter,
		      struct dma_buf_attachment *attach);

	/**
	 * @begin_cpu_access:
	 *
	 * Make what the driver's own device wrote visible to the CPU. Its fences
	 * have been waited for, and importers' mappings synchronised. Called with
	 * the dma_resv lock held. Returns 0 or a negative errno. Optional.
	 */
	int (*begin_cpu_access)(struct dma_buf_exporter *exporter,
				enum dma_data_direction dir);

	/**
	 * @end_cpu_access:
	 *
	 * The reverse, when the CPU is done. Called with the dma_resv lock held.
	 * Returns 0 or a negative errno. Optional.
	 */
	int (*end_cpu_access)(struct dma_buf_exporter *exporter,
			      enum dma_data_direction dir);

	/**
	 * @get:
	 *
	 * Take a reference on the driver's object, so that a mapping made
	 * through the driver's own device node, or a fault in it that waits,
	 * keeps it alive. Called with mmap_lock or the VMA's lock held; must
	 * not sleep. Needed with dma_buf_exporter_mmap() only.
	 */
	void (*get)(struct dma_buf_exporter *exporter);

	/**
	 * @put:
	 *
	 * Drop such a reference. Called with or without mmap_lock held, never
	 * with the dma_resv lock; may sleep.
	 */
	void (*put)(struct dma_buf_exporter *exporter);
};

/**
 * struct dma_buf_exporter_stats - counters of one buffer
 * @faults_pte: faults answered with page-sized entries
 * @faults_pmd: faults answered with a PMD-sized entry
 * @ptes: page-sized entries inserted
 *
 * Protected by the buffer's dma_resv lock.
 */
struct dma_buf_exporter_stats {
	u64 faults_pte;
	u64 faults_pmd;
	u64 ptes;
};

/**
 * struct dma_buf_exporter - a buffer that a driver exports
 *
 * Embedded in the driver's buffer object. dma_buf_exporter_init() sets it up;
 * all members are the library's except those the driver may set between
 * dma_buf_exporter_init() and the first mapping.
 */
struct dma_buf_exporter {
	/** @node_pgoff: page offset of the buffer in the driver's own node. */
	pgoff_t node_pgoff;

	/** @resv: the reservation object, the driver's own or @own_resv. */
	struct dma_resv *resv;

	/* private: */
	struct dma_resv own_resv;
	const struct dma_buf_exporter_ops *ops;
	u64 size;
	struct dma_buf *dmabuf;		/* protected by resv */
	bool exported;			/* protected by resv */
	bool readonly;			/* of the dma-buf, if there is one */
	struct dma_buf_backing *backing;/* protected by resv */
	struct list_head maps;		/* live DMA mappings, protected by resv */
	unsigned int nr_pins;		/* protected by resv */
	unsigned int nr_attachments;	/* protected by resv */
	struct dma_buf_exporter_stats stats; /* protected by resv */
	void *vmap_addr;		/* protected by resv */
	u8 vmap_kind;			/* protected by resv */
	atomic_t nr_vmas;
	u64 id;
	struct list_head live;		/* protected by the list's mutex */
};

int dma_buf_exporter_init(struct dma_buf_exporter *exporter,
			  const struct dma_buf_exporter_ops *ops,
			  u64 size, struct dma_resv *resv);
void dma_buf_exporter_fini(struct dma_buf_exporter *exporter);
int dma_buf_exporter_set_backing(struct dma_buf_exporter *exporter,
				 struct dma_buf_backing *backing);
struct dma_buf *dma_buf_exporter_export(struct dma_buf_exporter *exporter, int flags);
int dma_buf_exporter_mmap(struct dma_buf_exporter *exporter,
			  struct vm_area_struct *vma);

#endif
