/* SPDX-License-Identifier: GPL-2.0 */
/* What torture counts: what must not happen, and what must. */
#ifndef TORTURE_COUNTS_H
#define TORTURE_COUNTS_H

#define MAX_PATHS	16
#define MAX_PLACEMENTS	16

/* What must not happen. */
enum bad {
	BAD_LOST,	/* a word that nobody wrote */
	BAD_STALE,	/* an older word of the same place */
	BAD_FOREIGN,	/* a word of another place or buffer */
	BAD_CLOSED,	/* access to memory that nobody may reach */
	BAD_ERROR,
	BAD_SIGNAL,
	BAD_STUCK,
	NR_BAD,
};

/* What has to happen at least once. */
enum did {
	DID_READ,		/* + enum path */
	DID_WRITE = DID_READ + MAX_PATHS,
	DID_IMPORT_STATIC = DID_WRITE + MAX_PATHS,
	DID_IMPORT_DYNAMIC,
	DID_IMPORT_P2P,
	DID_IMPORT_LATE,
	DID_IMPORT_PINNED,
	DID_MUNMAP,
	DID_UNMAP_PART,
	DID_MREMAP,
	DID_MPROTECT,
	DID_MADVISE,
	DID_DUP,
	DID_FORK,
	DID_KILL_CHILD,
	DID_KILL_WORKER,
	DID_SIGBUS,
	DID_TORN,
	DID_STORM,
	DID_STORM_HIT,
	DID_MOVE_PAGES,		/* + enum et_kind */
	DID_MOVE_UNPAGED,
	DID_MOVE_IO,
	DID_MOVE_WC,
	DID_MOVE_UC,
	DID_MOVE_CHUNKS,
	DID_MOVE_WAIT,		/* + enum dma_buf_move_policy */
	DID_MOVE_REVOKE,
	DID_MOVE_BLOCK,
	DID_MOVE_LOCKED,
	DID_MOVE_FAIL,
	DID_MOVE_KILL,
	DID_MOVE_ASYNC,
	DID_ASYNC_FAIL,
	DID_SUSPEND,
	DID_REVOKED,
	DID_EXPORT_AGAIN,
	DID_MOVE_ALONE,
	DID_VHOLD,
	DID_COME_BACK,
	DID_HEAP_MOVE,
	DID_HEAP_COMPACT,
	DID_HEAP_TO,		/* + index of the placement */
	NR_DID = DID_HEAP_TO + MAX_PLACEMENTS,
};

/* By which way a word is read or written; the first are kinds of mappings. */
enum path {
	BY_ALIGNED,
	BY_MISALIGNED,
	BY_READONLY,
	BY_WINDOW,
	BY_NODE,
	BY_MEM,		/* /proc/self/mem */
	BY_DMA,
	BY_JOB,		/* DMA that goes on for a while */
	BY_VMAP,
	BY_EDU,
	BY_LIBRARY,	/* of importers */
	NR_PATHS,
};

#define NR_VIEW_KINDS	BY_MEM

#endif
