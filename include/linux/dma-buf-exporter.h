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
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/gfp_types.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

struct address_space;
struct dma_buf;
struct dma_buf_attachment;
struct dma_buf_exporter;
struct iosys_map;
struct module;
struct pci_dev;
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
 * @placement: name of the place for debugfs and user space, or NULL; it stays
 *	valid as long as the backing does
 * @provider: PCI device whose BAR the memory is, so that it is mapped only for
 *	devices that PCI peer-to-peer traffic gets there from; or NULL, when the
 *	driver knows who reaches it. It outlives the backing
 * @paged: every frame has a struct page (set by dma_buf_backing_add())
 * @nr_extents: number of entries of @extents in use
 * @max_extents: number of entries of @extents there is room for
 * @size: sum of the lengths of the extents, in bytes
 * @extents: the pieces, in buffer order
 *
 * The driver sets @caching, @io, @priv, @placement and @provider, adds extents,
 * and hands the backing to an exporter; it does not change it after that. The
 * cost is one entry for each contiguous piece, whatever the size of the buffer.
 */
struct dma_buf_backing {
	enum dma_buf_caching caching;
	bool io;
	void *priv;
	const char *placement;
	struct pci_dev *provider;

	/* filled in by dma_buf_backing_add() */
	bool paged;
	unsigned int nr_extents;
	unsigned int max_extents;
	u64 size;

	/* private: */
	struct list_head dead;

	/* public: */
	struct dma_buf_extent extents[] __counted_by(max_extents);
};

struct dma_buf_backing *dma_buf_backing_alloc(unsigned int max_extents, gfp_t gfp);
void dma_buf_backing_free(struct dma_buf_backing *backing);
int dma_buf_backing_add(struct dma_buf_backing *backing, phys_addr_t addr, u64 len);
int dma_buf_backing_copy(const struct dma_buf_backing *to,
			 const struct dma_buf_backing *from);

/**
 * enum dma_buf_move_policy - what a move does about a buffer in use
 * @DMA_BUF_MOVE_WAIT: wait until importers are done and pins are gone.
 * @DMA_BUF_MOVE_REVOKE: take the memory from pinned importers too, where the
 *	kernel has a way to tell them (7.0), and wait until they let go.
 * @DMA_BUF_MOVE_BLOCK: fail at once.
 *
 * In use means pinned, mapped by an importer that does not unmap when it is
 * told to, mapped into the kernel, or with unsignalled fences. Mappings of user
 * space are never in the way.
 */
enum dma_buf_move_policy {
	DMA_BUF_MOVE_WAIT,
	DMA_BUF_MOVE_REVOKE,
	DMA_BUF_MOVE_BLOCK,
};

/**
 * struct dma_buf_relocation - where user space wants a buffer to be
 * @placement: name of the place, or NULL for the one where the buffer is
 * @compact: only if that leaves fewer extents
 * @policy: for dma_buf_exporter_move()
 * @timeout: for dma_buf_exporter_move(), in jiffies
 */
struct dma_buf_relocation {
	const char *placement;
	bool compact;
	enum dma_buf_move_policy policy;
	unsigned long timeout;
};

/**
 * struct dma_buf_pin_limit - how much the importers of a driver may pin
 * @max: bytes, or 0 for the limit of the library's module parameter
 * @pinned: bytes pinned at the moment, the library's
 *
 * Static storage of a driver, shared by its buffers.
 */
struct dma_buf_pin_limit {
	u64 max;
	atomic64_t pinned;
};

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
	 * dma_buf_backing_free(). May sleep, and may take dma_resv locks. Called
	 * with a mutex of the buffer held that moving and revoking it take, too: it
	 * must not do either to the same buffer, nor drop its last reference, nor
	 * take a lock that the driver holds when it does one of these. Calls of one
	 * buffer do not overlap. Mandatory.
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
	 * @copy:
	 *
	 * Copy the content when a buffer moves. Called with the dma_resv lock
	 * held; nobody else reaches @from or @to, and all fences of the buffer
	 * are signalled. Returns NULL when the copy is done, an ERR_PTR when it
	 * failed, or a fence, whose reference the library takes over, that signals
	 * when an asynchronous copy is done; a fence with an error leaves the
	 * buffer where it was. The fence must signal in bounded time without the
	 * dma_resv lock. Optional: by default the CPU copies.
	 */
	struct dma_fence *(*copy)(struct dma_buf_exporter *exporter,
				  struct dma_buf_backing *to,
				  const struct dma_buf_backing *from);

	/**
	 * @relocate:
	 *
	 * Whoever controls the buffer wants it elsewhere: allocate memory there
	 * and call dma_buf_exporter_move(). Called without locks, with a
	 * reference on the dma-buf; may sleep. Returns 0, -EINVAL for a place
	 * that the driver does not have, -EALREADY when compacting gains
	 * nothing, -ENOMEM, -ENOSPC, or what dma_buf_exporter_move() returned.
	 * Optional.
	 */
	int (*relocate)(struct dma_buf_exporter *exporter,
			const struct dma_buf_relocation *how);

	/**
	 * @pin_limit:
	 *
	 * The driver's limit on pinned memory. Optional: without it the limit
	 * of the library holds for all drivers that have none together.
	 */
	struct dma_buf_pin_limit *pin_limit;

	/**
	 * @attach:
	 *
	 * Say no to a device that cannot reach the memory, or clear
	 * attach->peer2peer where it must not be reached from device to device.
	 * For the BAR of a PCI device it is enough to set
	 * &dma_buf_backing.provider. Called without locks; may sleep. Returns 0 or
	 * a negative errno. Optional.
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
 * @moves: moves that were made
 * @moves_failed: asynchronous copies that failed
 *
 * Protected by the buffer's dma_resv lock.
 */
struct dma_buf_exporter_stats {
	u64 faults_pte;
	u64 faults_pmd;
	u64 ptes;
	u64 moves;
	u64 moves_failed;
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

	/**
	 * @node_mapping: address space (f_mapping) of all files of the driver's
	 * own node, through which a move finds the mappings. It must outlive the
	 * buffer. Needed with dma_buf_exporter_mmap().
	 */
	struct address_space *node_mapping;

	/** @resv: the reservation object, the driver's own or @own_resv. */
	struct dma_resv *resv;

	/* private: */
	struct dma_resv own_resv;
	const struct dma_buf_exporter_ops *ops;
	u64 size;
	struct dma_buf *dmabuf;		/* protected by resv */
	struct address_space *mapping;	/* of the dma-buf, keeps its inode, by resv */
	bool exported;			/* protected by resv */
	bool readonly;			/* of the dma-buf, if there is one */
	bool revoked;			/* protected by resv */
	unsigned int suspended;		/* protected by resv */
	struct dma_buf_backing *backing;/* protected by resv */
	struct dma_buf_backing *next;	/* where a copy goes, protected by resv */
	struct dma_fence *copying;	/* protected by resv */
	struct dma_fence_cb copied;
	struct list_head dead;		/* backings nobody reaches, protected by resv */
	struct delayed_work reap;
	struct mutex reap_mutex;	/* free_backing of the dead, outside resv */
	wait_queue_head_t idle;		/* somebody let go, or a state changed */
	unsigned int nr_let_go;		/* how often the former, by resv */
	struct list_head attachments;	/* protected by resv */
	struct list_head maps;		/* live DMA mappings, protected by resv */
	unsigned int nr_pinned;		/* attachments that have one, by resv */
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
const struct dma_buf_backing *
dma_buf_exporter_backing(struct dma_buf_exporter *exporter);
struct dma_buf *dma_buf_exporter_export(struct dma_buf_exporter *exporter, int flags);
int dma_buf_exporter_mmap(struct dma_buf_exporter *exporter,
			  struct vm_area_struct *vma);

/**
 * struct dma_buf_source - somebody from whom user space can have buffers
 * @name: name, as in /dev/dma_heap
 * @owner: module that has @alloc
 * @alloc: make a buffer of @len bytes, a multiple of the page size, and a dma-buf
 *	of it with the file flags @fd_flags; at @placement unless that is NULL.
 *	Returns the dma-buf, whose exporter is on this library, or an ERR_PTR:
 *	-EINVAL for a placement it does not have
 * @node: the library's
 */
struct dma_buf_source {
	const char *name;
	struct module *owner;
	struct dma_buf *(*alloc)(struct dma_buf_source *source, u64 len, u32 fd_flags,
				 const char *placement);
	struct list_head node;
};

int dma_buf_source_add(struct dma_buf_source *source);
void dma_buf_source_del(struct dma_buf_source *source);
int dma_buf_exporter_control_fd(struct dma_buf *dmabuf);

int dma_buf_exporter_move(struct dma_buf_exporter *exporter,
			  struct dma_buf_backing *to,
			  enum dma_buf_move_policy policy, unsigned long timeout);
int dma_buf_exporter_move_locked(struct dma_buf_exporter *exporter,
				 struct dma_buf_backing *to,
				 enum dma_buf_move_policy policy);
int dma_buf_exporter_revoke(struct dma_buf_exporter *exporter, unsigned long timeout);
int dma_buf_exporter_suspend(struct dma_buf_exporter *exporter, unsigned long timeout);
void dma_buf_exporter_resume(struct dma_buf_exporter *exporter);

#endif
