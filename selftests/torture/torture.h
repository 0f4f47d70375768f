/* SPDX-License-Identifier: GPL-2.0 */
/*
 * torture: everything at once to a few buffers, for as long as wanted, while every
 * word of them is accounted for.
 *
 * The keeper, the process that was started, owns the buffers. Workers are processes
 * with threads that write and check; movers move, suspend and revoke. Whoever does
 * something is an actor. What they share is struct world, in memory that has
 * nothing to do with dma-bufs.
 */
#ifndef TORTURE_H
#define TORTURE_H

#include <linux/types.h>
#include <pthread.h>
#include <time.h>

#include "counts.h"
#include "kselftest.h"
#include "util.h"

/* The unit of ownership: words that one actor has to itself while it visits them. */
#define SLOT		256UL
#define WORDS		(SLOT / sizeof(uint64_t))
#define MAX_SIZE	(64UL << 20)

#define MAX_BUFFERS	16
#define MAX_WORKERS	8
#define MAX_THREADS	8	/* of a worker */
#define MAX_ACTORS	160

enum { WAIT, REVOKE, BLOCK };

#define get(p)		__atomic_load_n((p), __ATOMIC_SEQ_CST)
#define set(p, v)	__atomic_store_n((p), (v), __ATOMIC_SEQ_CST)
#define add(p, n)	__atomic_add_fetch((p), (n), __ATOMIC_SEQ_CST)

extern const char *const path_names[NR_PATHS];

/* Why nobody may reach the memory of a buffer: odd while that is so. */
enum closed { CLOSED_SUSPENDED, CLOSED_COPYING, NR_CLOSED };

enum state { LIVE, REVOKED };

/* An asynchronous copy: its mover is in the call, has returned, or must wait. */
enum copying { COPY_NONE, COPY_STARTING, COPY_STARTED, COPY_ENDING };

/**
 * struct buffer - a buffer, or since it was revoked the next one in its place
 * @index: of it
 * @heap: of the heap, else of exporter_test
 * @size: bytes
 * @state: an enum state; whoever revoked it sets REVOKED, the keeper LIVE
 * @gen: counts the replacements
 * @ops: moves and such under way; the keeper replaces when there are none
 * @revoking: the last @gen whose revocation has begun
 * @revoked: the last one for which it is over
 * @suspends: suspensions begun, and tried
 * @resumes: of these, those over
 * @suspending: somebody has it suspended
 * @closed: see enum closed
 * @fd: the dma-buf, in the keeper
 * @control: its control handle there, -1 without one
 * @id: for exporter_test
 * @node_offset: where exporter_test's node maps it
 * @tokens: who owns which slot
 */
struct buffer {
	unsigned int index;
	bool heap;
	uint64_t size;
	uint32_t state;
	uint32_t gen;
	uint32_t ops;
	uint32_t revoking;
	uint32_t revoked;
	uint32_t suspends;
	uint32_t resumes;
	uint32_t suspending;
	uint32_t closed[NR_CLOSED];
	int fd;
	int control;
	uint32_t id;
	uint64_t node_offset;
	uint64_t *tokens;
};

/* An importer's mapping; @et.id is 0 without one. The kernel fills it in, so that
 * it is known whenever its actor is killed.
 */
struct import {
	struct et_import et;
	unsigned int buffer;
	uint32_t gen;
};

#define IMPORTS	3

/**
 * struct actor - a thread, or the child it has at the moment
 * @pid: its process
 * @tid: 0 if there is none
 * @random: state of rand_r()
 * @steps: what it has done, to see that it is not stuck
 * @doing: what it does
 * @claimed: buffer of the slot it may own
 * @slot: that slot
 * @vmap: the buffer that it may have a vmap of, its index + 1
 * @only: the buffer it visits, by its last importer if possible, or NULL for any
 * @imports: its own, or its parent's
 * @own: its own
 * @did: counts, by enum did
 * @bytes: bytes checked
 * @seen: steps when the keeper last looked
 * @idle: how often the keeper has seen the same
 */
struct actor {
	pid_t pid;
	pid_t tid;
	unsigned int random;
	uint64_t steps;
	const char *doing;
	unsigned int claimed;
	uint32_t slot;
	uint32_t vmap;
	struct buffer *only;
	struct import *imports;
	struct import own[IMPORTS];
	uint64_t did[NR_DID];
	uint64_t bytes;
	uint64_t seen;
	unsigned int idle;
};

/* A worker: doomed when it is to be killed, critical while it must not be. */
struct worker {
	pid_t pid;
	uint32_t doomed;
	uint32_t critical;
};

struct storm {
	int fd;
	uint32_t id;
	int start, done;	/* eventfds */
	uint64_t fork_ns;
	struct buffer buffer;	/* for its closed */
};

struct world {
	unsigned int seconds, seed, nr_buffers, nr_threads, nr_workers;
	bool kinds[ET_IO + 1];
	bool library;
	char placements[MAX_PLACEMENTS][32];
	unsigned int nr_placements;
	uint32_t stop;
	uint32_t copying;	/* an enum copying */
	struct buffer *copied;	/* the buffer it is about */
	uint32_t copies;	/* how many there have been */
	uint32_t nr_actors;
	uint64_t bad[NR_BAD];
	uint64_t lost;		/* bytes that were wrong, of whichever kind */
	uint64_t messages;
	uint64_t start_ns, end_ns;
	uint64_t moves, move_errors[256];
	uint64_t faults_pte, faults_pmd;
	uint64_t last_revoke;
	struct storm storm;
	struct worker workers[MAX_WORKERS];
	struct buffer buffers[MAX_BUFFERS];
	struct actor actors[MAX_ACTORS];
};

extern struct world *w;
extern int et;		/* /dev/exporter_test */
extern int ctl;		/* /dev/dma_buf_exporter */
extern int edu;		/* /dev/edu_dma, of this process, or -1 */

static inline uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* report.c */
void bad(enum bad kind, const char *fmt, ...) __printf(2, 3);
void say(const char *fmt, ...) __printf(1, 2);
void progress(void);
void say_again(void);
int report(int live_before);

/* actor.c */
struct actor *actor_new(const char *doing);
void actor_start(struct actor *a);
void actor_end(struct actor *a);
void vmap_begin(struct actor *a, const struct buffer *b);
void vmap_end(struct actor *a);
bool vmap_by_others(const struct actor *a, const struct buffer *b);
unsigned int rnd(struct actor *a, unsigned int n);
void nap(struct actor *a, unsigned int max_us);
void step(struct actor *a, const char *doing);

static inline bool one_in(struct actor *a, unsigned int n)
{
	return !rnd(a, n);
}

static inline void did(struct actor *a, unsigned int what)
{
	set(&a->did[what], a->did[what] + 1);
}

/* slots.c */

/**
 * struct claim - a slot that its holder may read and write
 * @buffer: of it
 * @gen: of the buffer
 * @slot: index
 * @count: how often it was written
 * @span: writes that somebody did not finish: up to as much may be added
 * @by: the last path by which it was written
 */
struct claim {
	struct buffer *buffer;
	uint32_t gen;
	uint32_t slot;
	uint32_t count;
	uint8_t span;
	uint8_t by;
};

void slots_init(void);
void slots_reset(struct buffer *b, uint32_t gen);
bool slot_claim(struct actor *a, struct buffer *b, uint32_t gen, uint32_t slot,
		struct claim *c);
void slot_release(struct actor *a, const struct claim *c);
void slot_recover(struct actor *dead);
void slot_peek(struct buffer *b, uint32_t slot, struct claim *c);
void slot_fill(const struct claim *c, uint32_t count, uint64_t *words);
bool slot_check(struct actor *a, const struct claim *c, const uint64_t *words,
		enum path by, const char *where);

/* places.c */
void places_init(const char *placements);
int place_probe(const char *placement);

/* buffers.c */
int buffers_init(void);
void buffers_replace(struct actor *a);
void buffers_free(void);
int buffer_fd(struct buffer *b, uint32_t gen, bool control);
bool buffer_enter(struct buffer *b);
void buffer_leave(struct buffer *b);
bool buffer_is(struct buffer *b, uint32_t gen);
bool buffer_wait_devices(struct buffer *b, uint32_t gen);

/* guard.c: was an outcome right? */
struct guard {
	uint32_t closed[NR_CLOSED];
	uint32_t suspends;
	bool suspended;
	bool revoked;
};

void guard_begin(struct buffer *b, uint32_t gen, struct guard *g);
void guard_reached(struct buffer *b, const struct guard *g, const char *how);
bool guard_error(struct buffer *b, uint32_t gen, const struct guard *g, int err);
void trap_init(void);
int cpu_read(uint64_t *to, const uint64_t *from);
int cpu_write(uint64_t *to, const uint64_t *from);

/* views.c: the mappings of a process */

/**
 * struct view - a mapping of a buffer or of a part of it
 * @buffer: of it
 * @gen: of the buffer
 * @kind: how it was made, an enum path below NR_VIEW_KINDS
 * @addr: where it is
 * @offset: of its first byte in the buffer
 * @len: bytes
 * @users: who is using it
 * @closed: nobody may begin to
 */
struct view {
	struct buffer *buffer;
	uint32_t gen;
	enum path kind;
	char *addr;
	uint64_t offset;
	uint64_t len;
	uint32_t users;
	uint32_t closed;
};

void views_init(void);
struct view *view_get(struct actor *a);
struct view *view_get_second(struct actor *a, const struct view *first, uint64_t offset);
void view_put(struct view *v);
void view_change(struct actor *a, unsigned int thread);

/* imports.c */
int import_make(struct actor *a, struct import *i, struct buffer *b, uint32_t gen,
		unsigned int how, bool pin);
void import_drop(struct import *i);
void imports_drop(struct actor *a);
struct import *import_find(struct actor *a, struct buffer *b, uint32_t gen);
void import_change(struct actor *a);
void import_short(struct actor *a);
int dma(const struct import *i, uint64_t offset, void *data, size_t len, bool write);
int dma_job(const struct import *i, uint64_t offset, void *data, size_t len, bool write);

/* paths.c */
int path_read(struct actor *a, const struct claim *c, const struct view *v,
	      enum path by, uint64_t *words);
int path_write(struct actor *a, const struct claim *c, const struct view *v,
	       enum path by, uint32_t count);
void visit(struct actor *a);

/* edu.c: a real DMA engine, where there is one */
bool edu_there(void);
void edu_open(void);
int edu_access(struct actor *a, struct buffer *b, uint32_t gen, uint64_t offset, void *data,
	       size_t len, bool write);

/* library.c: the importer library, where its example is loaded */
void library_init(void);
int library_open(int fd);
int library_access(struct actor *a, struct buffer *b, uint32_t gen, uint64_t offset,
		   void *data, size_t len, bool write);

/* worker.c */
void critical_enter(void);
void critical_leave(void);
void workers_start(void);
void worker_kill(struct actor *keeper);
bool workers_wait(unsigned int seconds);

/* forks.c */
void fork_and_check(struct actor *a, struct actor *child);

/* movers.c */
pid_t movers_start(void);

/* moves.c */
void move_exporter_test(struct actor *a, struct buffer *b);
void move_heap(struct actor *a, struct buffer *b);

/* takers.c */
void suspend_for_a_while(struct actor *a, struct buffer *b);
void revoke_for_good(struct actor *a, struct buffer *b);
void vhold(struct actor *a, struct buffer *b);
void export_again(struct actor *a);
void move_alone(struct actor *a);

/* copies.c */
uint32_t copy_begin(struct buffer *b);
void copy_begun(struct buffer *b, uint32_t copy, bool failed);
void copy_end(struct actor *a);

/* storm.c */
void storm_init(void);
pid_t storm_start(struct actor *a);
void *storm_suspender(void *arg);

/* watch.c */
bool watch_stuck(void);
void watch_dump(void);

/* sweep.c */
void sweep(struct actor *a);

#endif
