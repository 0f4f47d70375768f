// SPDX-License-Identifier: GPL-2.0
/* The process that moves buffers and takes them away. It is not killed. */
#include "torture.h"

#define MOVERS	2

static struct actor *movers[MOVERS], *finisher, *suspender;

static void mover_step(struct actor *a)
{
	struct buffer *b = &w->buffers[rnd(a, w->nr_buffers)];
	unsigned int what = rnd(a, 40);

	step(a, "look for a buffer");
	if (what == 0) {
		export_again(a);
		return;
	}
	if (what == 3) {
		move_alone(a);
		return;
	}
	if (!buffer_enter(b)) {
		nap(a, 200);
		return;
	}
	if (what == 1)
		vhold(a, b);
	else if (what == 2)
		revoke_for_good(a, b);
	else if (b->heap)
		move_heap(a, b);
	else if (what < 9)
		suspend_for_a_while(a, b);
	else
		move_exporter_test(a, b);
	buffer_leave(b);
	if (one_in(a, 4))
		nap(a, 3000);
}

static void *mover_main(void *arg)
{
	struct actor *a = arg;

	actor_start(a);
	while (!get(&w->stop))
		mover_step(a);
	actor_end(a);
	return NULL;
}

/* Goes on until the movers have ended: a copy that waits is in everybody's way. */
static void *finisher_main(void *arg)
{
	actor_start(finisher);
	for (;;) {
		bool stop = get(&w->stop);

		for (unsigned int i = 0; i < MOVERS; i++)
			stop = stop && !get(&movers[i]->tid);
		if (stop && !get(&w->copying))
			break;
		step(finisher, "wait for a copy");
		copy_end(finisher);
	}
	actor_end(finisher);
	return NULL;
}

static void movers_main(void)
{
	pthread_t threads[MOVERS], finish, suspend;

	for (unsigned int i = 0; i < MOVERS; i++)
		set(&movers[i]->tid, -1);	/* about to be */
	for (unsigned int i = 0; i < MOVERS; i++)
		pthread_create(&threads[i], NULL, mover_main, movers[i]);
	pthread_create(&finish, NULL, finisher_main, NULL);
	pthread_create(&suspend, NULL, storm_suspender, suspender);
	for (unsigned int i = 0; i < MOVERS; i++)
		pthread_join(threads[i], NULL);
	pthread_join(finish, NULL);
	pthread_join(suspend, NULL);
	_exit(0);
}

pid_t movers_start(void)
{
	pid_t pid;

	for (unsigned int i = 0; i < MOVERS; i++)
		movers[i] = actor_new("move");
	finisher = actor_new("wait for a copy");
	suspender = actor_new("wait for a fork");
	pid = fork();
	if (!pid)
		movers_main();
	return pid;
}
