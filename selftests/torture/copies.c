// SPDX-License-Identifier: GPL-2.0
/*
 * Asynchronous copies: a mover begins one, another thread plays the device that
 * ends it. Between the two nobody may reach the memory. The call that begins a
 * copy may itself wait for somebody who waits for its end, so the device does not
 * wait for that call.
 */
#include "torture.h"

static bool copying_becomes(uint32_t from, uint32_t to)
{
	return __atomic_compare_exchange_n(&w->copying, &from, to, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

/* Its number, or 0 if there is another one. The buffer stays until its end. */
uint32_t copy_begin(struct buffer *b)
{
	uint32_t copy;

	if (!copying_becomes(COPY_NONE, COPY_ENDING))
		return 0;
	add(&b->ops, 1);
	copy = add(&w->copies, 1);
	set(&w->copied, b);
	set(&w->copying, COPY_STARTING);
	return copy;
}

/* The call has returned, maybe after the end of the copy. */
void copy_begun(struct buffer *b, uint32_t copy, bool failed)
{
	while (get(&w->copied) && get(&w->copies) == copy) {
		if (copying_becomes(COPY_STARTING, failed ? COPY_ENDING : COPY_STARTED)) {
			if (failed) {
				buffer_leave(b);
				set(&w->copied, NULL);
				set(&w->copying, COPY_NONE);
			}
			return;
		}
		usleep(100);
	}
}

/* Nobody may reach the memory until the device is done. */
static void keep_closed(struct actor *a, struct buffer *b)
{
	add(&b->closed[CLOSED_COPYING], 1);
	nap(a, 4000);
	add(&b->closed[CLOSED_COPYING], 1);
}

/* Ends the copy there is, or fails it. */
void copy_end(struct actor *a)
{
	int err = one_in(a, 4) ? EIO : 0;
	struct buffer *b;

	nap(a, 2000);
	if (copying_becomes(COPY_STARTED, COPY_ENDING))
		keep_closed(a, w->copied);
	else if (!copying_becomes(COPY_STARTING, COPY_ENDING))
		return;
	step(a, "end a copy");
	b = w->copied;
	if (ioctl(et, ET_FINISH, err)) {
		if (errno != ENOENT)
			bad(BAD_ERROR, "ET_FINISH: %s", strerror(errno));
		set(&w->copying, COPY_STARTING);
		return;
	}
	if (err)
		did(a, DID_ASYNC_FAIL);
	buffer_leave(b);
	set(&w->copied, NULL);
	set(&w->copying, COPY_NONE);
}
