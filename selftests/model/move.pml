// SPDX-License-Identifier: GPL-2.0
/*
 * Who may reach the memory of a buffer while it is moved, suspended or revoked:
 * a model of fault.c, map.c, quiesce.c, move.c, revoke.c and reap.c, for spin.
 * Documentation/model.rst says what is modelled and what is not.
 *
 * A configuration is a set of macros, see selftests/host/model.sh:
 *
 * CPUS		0 to 2 address spaces: 0 maps the dma-buf, 1 the driver's node
 * MOVERS	0 to 2; POLICY0 and POLICY1 are theirs
 * COPY		how moves copy: SYNC, ASYNC, or not defined for either
 * IMPORTERS	0 to 2; KIND0 and KIND1 are theirs, each of any kind if not defined
 * REVOKER, SUSPENDER
 *		there is one
 * FORK		address space 1 is a child that address space 0 forks
 * STORM	accesses never end; the progress of address space 0 counts
 * ONCE		importers map once at most, and start one job at most
 * NO_ACCESS	devices are not looked at, only the fences of their jobs
 *
 * All other macros that it is asked for by #ifdef break one step each.
 *
 * What is done with the lock held and seen by nobody without it is one atomic step.
 */

#define NONE		0
#define BIT(n)		(1 << (n))

/* Places: the first is where the buffer is, the others where moves bring it. */
#define PLACE(mover)	(2 + mover)

/* Policies. */
#define WAIT		1
#define BLOCK		2
#define REVOKE		3

#define SYNC		1
#define ASYNC		2

/* Importers. */
#define DYNAMIC		1	/* is told, does not pin */
#define PINNED		2	/* is told, pins */
#define STATIC		3	/* is not told, pins while it maps */
#define VMAP		4	/* a kernel mapping: not told, no pin */

/* What a process that sleeps on the buffer's waitqueue is called. */
#define ID_CPU		0
#define ID_MOVER	2
#define ID_SUSPENDER	4
#define ID_REVOKER	5
#define EVERYBODY	63

#ifndef CPUS
#define CPUS		0
#endif
#ifndef MOVERS
#define MOVERS		0
#endif
#ifndef IMPORTERS
#define IMPORTERS	0
#endif
#ifndef POLICY0
#define POLICY0		WAIT
#endif
#ifndef POLICY1
#define POLICY1		WAIT
#endif

/* The exporter. All but the flags that say so are protected by resv. */
bool resv;			/* the lock */
byte backing = 1;		/* the place of the data; NONE when handed back */
byte next;			/* where an asynchronous copy goes */
bool copying;			/* there is one: a KERNEL fence */
bool copied;			/* that fence is signalled; not protected */
bool copy_error;		/* with an error */
bool suspended;
bool revoked;
byte dead;			/* buried places */
bool work;			/* the reaper's work is queued; not protected */
bool delayed;			/* it is, for when the fences may be signalled */
bool reap_mutex;
byte sleeping;			/* who sleeps on the waitqueue */
byte let_go;			/* for whom nr_let_go is not what it was */

/* Address spaces: a page table entry and the TLB of the processor. */
byte pte[2];
byte tlb[2];
bool visible[2];		/* the mapping is found by a zap */
byte mm_readers;		/* mmap_lock of address space 0, with FORK */
bool mm_writer;
bool forked;			/* the child runs */

/* Importers and their devices. */
byte kind[2];
byte map[2];			/* the place of the DMA mapping */
byte iotlb[2];			/* what the IOTLB has of it */
bool unflushed[2];
bool stale[2];			/* the importer has been told */
bool pinned[2];
byte job[2];			/* the place of a job whose fence is not signalled */

/* The environment. */
bool lazy;			/* an IOMMU in lazy mode; else none: jobs go on unmapped */
bool patient;			/* timeouts are infinite */
byte running;			/* processes that have to end */

/* What the assertions are about. */
byte fresh = BIT(1);		/* places that have the last write */
bool snapshot;			/* so will the copy that is being made */
bool frozen;			/* a copy is being made, or waits to be settled */
byte freed;			/* places that were handed back */
byte last;			/* the one a revocation handed back */
bool quiet;			/* suspend has returned */
bool gone;			/* revoke has returned */

#define fences		(job[0] || job[1])
#define copy_pending	(copying && !copied)
#define mappings	(map[0] || map[1])
#define told(i)		(kind[i] == DYNAMIC || kind[i] == PINNED)
#define cpu_shows(p)	(pte[0] == p || pte[1] == p || tlb[0] == p || tlb[1] == p)
#define device_shows(p)	(map[0] == p || map[1] == p || iotlb[0] == p || iotlb[1] == p)
#define shown(p)	(cpu_shows(p) || device_shows(p))
#define in_use(p)	(shown(p) || job[0] == p || job[1] == p)

/*
 * Somebody reads or writes place p. That a place has the last write stands for
 * all contents: whoever reads another place reads old data, and whoever writes
 * one loses a write.
 */
inline access(p)
{
	assert(!(freed & BIT(p)));
	assert(p == backing);
	assert(!frozen);
	assert(fresh & BIT(p));
	assert(!quiet);
	if
	:: fresh = BIT(p); snapshot = false
	:: skip
	fi
}

inline lock()
{
	atomic { !resv -> resv = true }
}

inline unlock()
{
	resv = false
}

/* wait_event_timeout() on the buffer's waitqueue. */
inline wait_event(me, condition, over)
{
	do
	:: atomic { (condition) -> over = false; break }
	:: atomic { !(condition) -> sleeping = sleeping | BIT(me) };
		if
		:: !(sleeping & BIT(me))
		:: atomic { !patient -> sleeping = sleeping & ~BIT(me); over = true; break }
		fi
	od
}

inline wake_up_all()
{
	sleeping = 0
}

inline bury(p)
{
	assert(p != NONE && !(dead & BIT(p)) && !(freed & BIT(p)));
	dead = dead | BIT(p)
}

/* ops->free_backing */
inline free_backing(p)
{
	assert(!(freed & BIT(p)));
	assert(p != backing && p != next);
	assert(!in_use(p));
	freed = freed | BIT(p)
}

/* exporter_settle(), once the fence is signalled */
inline settle()
{
	if
	:: copying ->
		assert(copied);
		if
#ifndef SETTLE_IGNORES_ERROR
		:: copy_error -> bury(next)
#endif
		:: else -> bury(backing); backing = next
		fi;
		next = NONE;
		copying = false;
		copied = false;
		copy_error = false;
		frozen = false;
		work = true
	:: else
	fi
}

/* exporter_reap() */
inline reap(list)
{
#ifndef REAP_WITHOUT_MUTEX
	atomic { !reap_mutex -> reap_mutex = true };
#endif
	atomic { !resv -> list = dead; dead = 0 };
	do
	:: atomic { list & BIT(1) -> free_backing(1); list = list & ~BIT(1) }
	:: atomic { list & BIT(2) -> free_backing(2); list = list & ~BIT(2) }
	:: atomic { list & BIT(3) -> free_backing(3); list = list & ~BIT(3) }
	:: atomic { list == 0 -> reap_mutex = false; break }
	od
}

/* exporter_let_go() */
inline exporter_let_go()
{
	let_go = EVERYBODY;
	if
	:: revoked -> work = true
	:: else
	fi;
#ifndef LET_GO_NO_WAKE
	wake_up_all()
#endif
}

/* exporter_unmap() */
inline unmap(i)
{
	map[i] = NONE;
	stale[i] = false;
	unflushed[i] = lazy && kind[i] != VMAP;
	exporter_let_go()
}

/* An importer that is told may unmap in the callback, or later. */
inline invalidate_one(i)
{
	if
	:: told(i) && map[i] ->
		stale[i] = true;
		if
		:: unmap(i)
		:: skip
		fi
	:: else
	fi
}

inline invalidate()
{
	atomic { invalidate_one(0); invalidate_one(1) }
}

inline flush_iotlbs()
{
#ifndef DROP_IOTLB_FLUSH
	atomic {
		if
		:: unflushed[0] -> iotlb[0] = NONE; unflushed[0] = false
		:: else
		fi;
		if
		:: unflushed[1] -> iotlb[1] = NONE; unflushed[1] = false
		:: else
		fi
	};
#endif
	skip
}

inline zap_one(mm)
{
	if
	:: visible[mm] ->
		pte[mm] = NONE;
#ifndef ZAP_NO_TLB_FLUSH
		tlb[mm] = NONE
#endif
	:: else
	fi
}

/* exporter_zap() */
inline zap()
{
#ifndef DROP_ZAP
	zap_one(0);
#if CPUS > 1 && !defined(ONE_ADDRESS_SPACE)
	zap_one(1);
#endif
#endif
	skip
}

/* mmap_lock; it matters to a fork only. */
inline mmap_read_lock(mm)
{
#ifdef FORK
	if
	:: mm == 0 -> atomic { !mm_writer -> mm_readers++ }
	:: else
	fi;
#endif
	skip
}

inline mmap_read_unlock(mm)
{
#ifdef FORK
	if
	:: mm == 0 -> mm_readers--
	:: else
	fi;
#endif
	skip
}

/*
 * Code that uses a mapping, and exporter_fault(). A fault that does not get the
 * lock waits until it is free, and does not take it for that.
 */
proctype cpu(byte mm)
{
	byte p;
	bool over;

#ifdef FORK
	mm == 0 || forked;
#endif
again:
	do
	:: atomic { tlb[mm] -> assert(!gone); access(tlb[mm]) }
#ifdef STORM
		if
		:: mm == 0 ->
progress:		skip
		:: else
		fi
#endif
	:: atomic { !tlb[mm] && pte[mm] -> tlb[mm] = pte[mm] }
	:: !tlb[mm] && !pte[mm] -> goto fault
#ifndef STORM
	:: break
#endif
	od;
	goto out;

fault:
	mmap_read_lock(mm);
	if
	:: atomic { !resv -> resv = true }
	:: resv ->
		mmap_read_unlock(mm);
#ifdef FAULT_LOCKS_TO_WAIT
		lock();
		unlock();
#else
		!resv;
#endif
		goto fault
	fi;
	atomic {
		if
		:: revoked ->			/* SIGBUS */
			unlock();
			mmap_read_unlock(mm);
			goto out
#ifndef SUSPEND_IGNORED_BY_FAULT
		:: !revoked && suspended ->
			unlock();
			mmap_read_unlock(mm);
			goto wait_resumed
#endif
#ifndef FAULT_IGNORES_KERNEL_FENCE
		:: !revoked && !suspended && copy_pending ->
			unlock();
			mmap_read_unlock(mm);
			goto wait_copied
#endif
		:: else
		fi;
#ifdef FAULT_IGNORES_KERNEL_FENCE
		if
		:: !copy_pending -> settle()
		:: else
		fi;
#else
		settle();
#endif
		p = backing
	}
#ifdef INSERT_WITHOUT_LOCK
	unlock();
	pte[mm] = p;
#else
	atomic { pte[mm] = p; unlock() };
#endif
	atomic { mmap_read_unlock(mm); p = NONE };
	goto again;

wait_resumed:
	wait_event(ID_CPU + mm, !suspended || revoked, over);
	goto fault;
wait_copied:
	!copy_pending;
	goto fault;
out:
	running--
}

#ifdef FORK
/* dup_mmap(): what is copied is a PMD, whose lock is taken after it was read. */
proctype fork()
{
	byte entry;

	atomic { !mm_writer && !mm_readers -> mm_writer = true };
#ifndef FORK_NO_ZAP
	pte[0] = NONE;				/* ->open */
	tlb[0] = NONE;
#endif
	visible[1] = true;
	entry = pte[0];
	pte[1] = entry;
	entry = NONE;
	atomic {
		mm_writer = false;
		forked = true;
		running--
	}
}
#endif

/* Maps, starts jobs, unmaps and unpins, in any order and as often as it likes. */
#ifdef MAP_IGNORES_SUSPEND
#define map_suspended	false
#else
#define map_suspended	suspended
#endif

proctype importer(byte i)
{
	bool had_map, had_job;

	do
	:: !map[i] && !had_map ->
		lock();
#ifdef ONCE
		had_map = true;
#endif
		/* The copy is waited for with the lock held. */
		if
		:: revoked || map_suspended -> unlock()
		:: atomic {
			!revoked && !map_suspended && !copy_pending ->
			settle();
			map[i] = backing;
			pinned[i] = kind[i] == PINNED || kind[i] == STATIC;
			unlock()
		   }
		fi
	:: atomic {
		map[i] && !stale[i] && !job[i] && !had_job && kind[i] != VMAP && !resv ->
#ifdef ONCE
		had_job = true;
#endif
		job[i] = map[i]
	   }
	:: atomic {
		map[i] && !resv ->
		if
		:: kind[i] == STATIC -> pinned[i] = false
		:: else
		fi;
		unmap(i)
	   }
	:: atomic {
		pinned[i] && !map[i] && !resv ->
		pinned[i] = false;
		exporter_let_go()
	   }
	:: atomic { !map[i] && !pinned[i] -> running--; break }
	od
}

/*
 * A device does as it likes with what it can reach. Without an IOMMU a job that
 * outlives its mapping goes on, with one it hits what the IOTLB still has. After
 * some time the device is quiet and only ends its jobs.
 */
proctype device(byte i)
{
#ifndef NO_ACCESS
	do
	:: atomic { map[i] -> access(map[i]) }
	:: atomic { iotlb[i] -> access(iotlb[i]) }
	:: atomic { job[i] && !lazy -> access(job[i]) }
	:: atomic { lazy && map[i] && !iotlb[i] && kind[i] != VMAP -> iotlb[i] = map[i] }
	:: atomic { job[i] -> job[i] = NONE }
	:: break
	od;
#endif
end:
	do
	:: atomic { job[i] -> job[i] = NONE }
	od
}

/* A device that copies: ops->copy. */
proctype copier()
{
end:
	do
	:: atomic {
		copy_pending ->
		if
		:: snapshot -> fresh = fresh | BIT(next)
		:: else
		fi;
		copied = true;
		work = true			/* the callback of the fence */
	   }
	:: atomic {
		copy_pending ->
		copy_error = true;
		copied = true;
		work = true
	   }
	od
}

/* Begins to copy from the backing; who writes it from here on loses the write. */
inline begin_copy()
{
	frozen = true;
	snapshot = (fresh & BIT(backing)) != 0;
	old = backing
}

/* move_memory() */
inline move_memory(to)
{
	if
#if !defined(COPY) || COPY == SYNC
	:: atomic { begin_copy() };
		if
		:: atomic {
			if
			:: snapshot -> fresh = fresh | BIT(to)
			:: else
			fi;
			bury(backing);
			backing = to;
			frozen = false;
			error = false
		   }
		:: atomic { frozen = false; error = true }
		fi
#endif
#if !defined(COPY) || COPY == ASYNC
	:: atomic {
		begin_copy();
		next = to;
		copying = true;
		error = false
	   }
#endif
	fi
}

#ifdef DROP_FENCE_WAIT
#define fences_waited_for	false
#else
#define fences_waited_for	fences
#endif

#ifdef DROP_UNMAP_WAIT
#define mappings_waited_for	false
#else
#define mappings_waited_for	mappings
#endif

/* Notes who has let go so far, for exporter_wait_let_go(). */
inline look_and_unlock(me)
{
#ifdef LET_GO_SEEN_LATE
	unlock();
	let_go = let_go & ~BIT(me)
#else
	atomic { let_go = let_go & ~BIT(me); unlock() }
#endif
}

/* dma_buf_exporter_move() */
proctype mover(byte id; byte policy)
{
	byte old, list;
	bool error = true, over;

again:
	/* Without the lock. */
	if
	:: policy == BLOCK
	:: policy != BLOCK && !fences_waited_for && !copy_pending
	:: !patient && policy != BLOCK -> goto fail
	fi;

	lock();
	atomic {
		if
		:: revoked -> goto fail_unlock
		:: !revoked && policy == BLOCK && copy_pending -> goto fail_unlock
		:: !revoked && !copy_pending
		fi;
		settle();
		if
		:: policy == WAIT && (pinned[0] || pinned[1]) -> goto wait_let_go
		:: policy == BLOCK && (pinned[0] || pinned[1]) -> goto fail_unlock
		:: policy == REVOKE && (pinned[0] && !told(0) || pinned[1] && !told(1)) ->
			goto fail_unlock
		:: policy == BLOCK && fences_waited_for -> goto fail_unlock
		:: else
		fi;
		invalidate()
	}
	atomic {
		if
		:: !fences_waited_for
		:: fences_waited_for && (policy == BLOCK || !patient) -> goto fail_unlock
		fi;
		if
		:: mappings_waited_for && policy == BLOCK -> goto fail_unlock
		:: mappings_waited_for && policy != BLOCK -> goto wait_let_go
		:: else
		fi;
		flush_iotlbs()
	}
#ifdef COPY_BEFORE_ZAP
	move_memory(PLACE(id));
	zap();
#else
	zap();
	move_memory(PLACE(id));
#endif
	atomic {
		/* What move promises. */
		if
		:: !error -> assert(!cpu_shows(old)); assert(!device_shows(old))
		:: else
		fi;
		if
		:: copying -> assert(!shown(next)); old = NONE
		:: !copying && error -> old = NONE
		:: else
		fi;
		unlock()
	}
	goto out;

wait_let_go:
	look_and_unlock(ID_MOVER + id);
	wait_event(ID_MOVER + id, revoked || (let_go & BIT(ID_MOVER + id)), over);
	if
	:: over -> goto fail
	:: else -> goto again
	fi;

fail_unlock:
	unlock();
fail:
	skip;
out:
	reap(list);
	atomic {
		assert(old == NONE || (freed & BIT(old)));
		old = NONE;
		if
		:: error -> free_backing(PLACE(id))	/* the caller */
		:: else
		fi;
		running--
	}
}

/* dma_buf_exporter_revoke(); the timeout may be 0 */
proctype revoker()
{
	byte list;
	bool over;

	atomic { !resv -> resv = true; revoked = true; invalidate() };
#ifndef REVOKE_NO_ZAP
	zap();
#endif
#ifdef FREE_BEFORE_UNMAP
	atomic {
		if
		:: backing && !copying -> bury(backing); last = backing; backing = NONE
		:: else
		fi
	}
#endif
	unlock();
	atomic {
		wake_up_all();
		work = true;
		gone = true
	}

	wait_event(ID_REVOKER, !backing, over);
	if
	:: over
	:: else ->
		reap(list);
		assert(freed & BIT(last))
	fi;
	running--
}

#ifdef SUSPEND_MISSES_REVOKE
#define revoke_seen	true
#else
#define revoke_seen	!revoked
#endif

/* dma_buf_exporter_suspend() and dma_buf_exporter_resume() */
proctype suspender()
{
	bool over;

	atomic {
		!resv ->
		if
		:: revoked -> goto out
		:: else
		fi;
		lock();
		suspended = true
	}
	zap();
again:
	atomic {
		if
#ifndef SUSPEND_MISSES_REVOKE
		:: revoked -> unlock(); goto resume
#endif
		:: revoke_seen && !copy_pending
		fi;
		settle();
		invalidate()
	}
	atomic {
		if
		:: !fences
		:: fences && !patient -> unlock(); goto resume
		fi;
		if
		:: mappings -> goto wait_let_go
		:: else
		fi;
		flush_iotlbs();
		unlock()
	}

	atomic {
		assert(!shown(1) && !shown(2) && !shown(3));
		quiet = true
	}
	atomic { !resv -> quiet = false; suspended = false };
	wake_up_all();
	goto out;

wait_let_go:
	look_and_unlock(ID_SUSPENDER);
	wait_event(ID_SUSPENDER, revoked || (let_go & BIT(ID_SUSPENDER)), over);
	if
	:: over
	:: else -> lock(); goto again
	fi;
resume:
	atomic { !resv -> suspended = false };
	wake_up_all();
out:
	running--
}

#ifdef REAP_IGNORES_FENCES
#define reap_fences	false
#else
#define reap_fences	fences
#endif

/* reap_work() */
proctype reaper()
{
	byte list;

end:
	do
	:: atomic { delayed && !fences -> delayed = false; work = true }
	:: atomic {
		work && !resv ->
		work = false;
		if
		:: !copy_pending -> settle()
		:: else
		fi;
		if
		:: !revoked || !backing || copying || mappings
		:: revoked && backing && !copying && !mappings && reap_fences ->
			delayed = true
		:: revoked && backing && !copying && !mappings && !reap_fences ->
			flush_iotlbs();
			bury(backing);
			last = backing;
			backing = NONE
		fi
	   };
		reap(list);
		wake_up_all()
	od
}

inline choose_kind(i)
{
	if
	:: kind[i] = DYNAMIC
	:: kind[i] = PINNED
	:: kind[i] = STATIC
	:: kind[i] = VMAP
	fi
}

init {
	atomic {
		if
		:: patient = true
		:: patient = false
		fi;
		visible[0] = true;
#ifndef FORK
		visible[1] = true;
#endif
#if IMPORTERS > 0
		if
		:: lazy = true
		:: lazy = false
		fi;
#ifdef KIND0
		kind[0] = KIND0;
#else
		choose_kind(0);
#endif
		run importer(0);
		run device(0);
		running++;
#endif
#if IMPORTERS > 1
#ifdef KIND1
		kind[1] = KIND1;
#else
		choose_kind(1);
#endif
		run importer(1);
		run device(1);
		running++;
#endif
#if CPUS > 0
		run cpu(0);
		running++;
#endif
#if CPUS > 1
		run cpu(1);
		running++;
#endif
#ifdef FORK
		run fork();
		running++;
#endif
#if MOVERS > 0
		run mover(0, POLICY0);
		run copier();
		running++;
#endif
#if MOVERS > 1
		run mover(1, POLICY1);
		running++;
#endif
#ifdef REVOKER
		run revoker();
		running++;
#endif
#ifdef SUSPENDER
		run suspender();
		running++;
#endif
		run reaper()
	}

	/* Nobody can do anything any more: it must be because all are done. */
	timeout ->
	assert(!running);
	assert(!resv && !reap_mutex && !sleeping && !copying && !dead);
	assert(revoked -> !backing : backing);
	assert((freed | BIT(NONE) | BIT(backing)) == BIT(2 + MOVERS) - 1)
}
