// SPDX-License-Identifier: GPL-2.0
/* Moves: from wherever a buffer is to any other place, by every way there is. */
#include <signal.h>
#include <sys/wait.h>

#include <linux/dma-buf-exporter.h>

#include "torture.h"

/* How a move ended, for the sums: 0 or a negative error. */
static void move_count(int err)
{
	if (!err)
		add(&w->moves, 1);
	else if (-err < (int)ARRAY_SIZE(w->move_errors))
		add(&w->move_errors[-err], 1);
}

static void choose_place(struct actor *a, struct et_move *move)
{
	static const unsigned int chunks[] = { 0, 0, 0, 512, 1, 3, 8, 64 };
	unsigned int kind = rnd(a, 6);

	move->kind = kind == 4 ? ET_UNPAGED : kind == 5 ? ET_IO : ET_PAGES;
	if (!w->kinds[move->kind])
		move->kind = ET_PAGES;
	/* 0 is cached, 1 write-combined, 2 uncached. */
	if (move->kind == ET_IO)
		move->caching = 1 + rnd(a, 2);
	else if (move->kind == ET_PAGES)
		move->caching = one_in(a, 8);
	move->chunk = chunks[rnd(a, ARRAY_SIZE(chunks))];
	move->policy = rnd(a, 3);
	move->timeout_ms = rnd(a, 100);
}

static void choose_way(struct actor *a, struct et_move *move)
{
	unsigned int way = rnd(a, 16);

	if (way < 5)
		move->flags = ET_MOVE_ASYNC | (way ? 0 : ET_MOVE_LOCKED);
	else if (way == 5)
		move->flags = ET_MOVE_FAIL;
	else if (way < 8)
		move->flags = ET_MOVE_LOCKED;
}

static void did_move(struct actor *a, const struct et_move *move)
{
	did(a, DID_MOVE_PAGES + move->kind);
	did(a, DID_MOVE_WAIT + move->policy);
	if (move->caching)
		did(a, move->caching == 1 ? DID_MOVE_WC : DID_MOVE_UC);
	if (move->chunk)
		did(a, DID_MOVE_CHUNKS);
	if (move->flags & ET_MOVE_LOCKED)
		did(a, DID_MOVE_LOCKED);
	if (move->flags & ET_MOVE_ASYNC)
		did(a, DID_MOVE_ASYNC);
}

/* In use, or the place is. */
static bool may_fail(struct actor *a, struct buffer *b, const struct et_move *move, int err)
{
	switch (err) {
	case -EBUSY:
	case -ETIMEDOUT:
		return true;
	case -EIO:
		if (move->flags & ET_MOVE_FAIL)
			did(a, DID_MOVE_FAIL);
		/* The device may be faster than the one who begins to wait for it. */
		return move->flags & (ET_MOVE_FAIL | ET_MOVE_ASYNC);
	case -EOPNOTSUPP:	/* an importer needs pages */
		return move->kind != ET_PAGES;
	case -ENODEV:
		return get(&b->revoking) >= get(&b->gen);
	default:
		return false;
	}
}

/* By a child that is killed meanwhile: it has moved, or it has not. */
static void move_and_kill(struct actor *a, struct et_move *move)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		ioctl(et, ET_MOVE, move);
		_exit(0);
	}
	nap(a, 20000);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	did(a, DID_MOVE_KILL);
}

void move_exporter_test(struct actor *a, struct buffer *b)
{
	struct et_move move = { .id = b->id };
	uint32_t copy = 0;
	int ret;

	choose_place(a, &move);
	choose_way(a, &move);
	if (!(move.flags & ET_MOVE_ASYNC) && one_in(a, 20)) {
		step(a, "move and be killed");
		move_and_kill(a, &move);
		return;
	}
	if (move.flags & ET_MOVE_ASYNC)
		copy = copy_begin(b);
	if (!copy)
		move.flags &= ~ET_MOVE_ASYNC;	/* one at a time */
	step(a, "move");
	ret = ioctl(et, ET_MOVE, &move) ? -errno : 0;
	move_count(ret);
	if (copy)
		copy_begun(b, copy, ret);
	if (!ret) {
		did_move(a, &move);
	} else if (!may_fail(a, b, &move, ret)) {
		bad(BAD_ERROR, "move of buffer %u.%u to kind %u, caching %u, flags %u: %s",
		    b->index, b->gen, move.kind, move.caching, move.flags, strerror(-ret));
	}
}

void move_heap(struct actor *a, struct buffer *b)
{
	struct dma_buf_exporter_move_args move = {
		.size = sizeof(move), .policy = rnd(a, 3), .timeout_ms = rnd(a, 100),
	};
	unsigned int place = rnd(a, w->nr_placements);
	int control, ret;

	if (one_in(a, 6))
		move.flags = DMA_BUF_EXPORTER_COMPACT;
	if (!move.flags || one_in(a, 2))
		snprintf(move.placement, sizeof(move.placement), "%s", w->placements[place]);
	step(a, "move in the heap");
	control = buffer_fd(b, b->gen, true);
	if (control < 0)
		return;
	ret = ioctl(control, DMA_BUF_EXPORTER_MOVE, &move) ? -errno : 0;
	close(control);
	move_count(ret);
	if (!ret || ret == -EALREADY) {
		did(a, move.flags ? DID_HEAP_COMPACT : DID_HEAP_MOVE);
		did(a, DID_MOVE_WAIT + move.policy);
		if (!move.flags)
			did(a, DID_HEAP_TO + place);
	} else if (ret != -EBUSY && ret != -ETIMEDOUT && ret != -ENOSPC &&
		   ret != -EOPNOTSUPP &&
		   !(ret == -ENODEV && get(&b->revoking) >= b->gen)) {
		bad(BAD_ERROR, "move of buffer %u.%u to '%s', flags %u: %s", b->index,
		    b->gen, move.placement, move.flags, strerror(-ret));
	}
}
