// SPDX-License-Identifier: GPL-2.0
/* Those who do something: their random numbers, and signs of life. */
#include "torture.h"

/* An entry of the table; by the keeper, and once for each that can be. */
struct actor *actor_new(const char *doing)
{
	struct actor *a = &w->actors[w->nr_actors];

	if (w->nr_actors == MAX_ACTORS)
		abort();
	a->random = w->seed * 2654435761U + w->nr_actors * 40503U + 1;
	a->doing = doing;
	a->imports = a->own;
	w->nr_actors++;
	return a;
}

/* Called by the thread or process that is it from now on. */
void actor_start(struct actor *a)
{
	a->idle = 0;
	a->pid = getpid();
	set(&a->tid, gettid());
}

void actor_end(struct actor *a)
{
	set(&a->tid, 0);
	vmap_end(a);
}

/* From here on the actor may have a vmap of the buffer. */
void vmap_begin(struct actor *a, const struct buffer *b)
{
	set(&a->vmap, b->index + 1);
}

void vmap_end(struct actor *a)
{
	set(&a->vmap, 0);
}

/*
 * While there is a vmap the core lets others share it, and asks no exporter. Who
 * reaches revoked memory by vmap owes that to somebody who has one by now.
 */
bool vmap_by_others(const struct actor *a, const struct buffer *b)
{
	for (unsigned int i = 0; i < w->nr_actors; i++)
		if (&w->actors[i] != a && get(&w->actors[i].vmap) == b->index + 1)
			return true;
	return false;
}

unsigned int rnd(struct actor *a, unsigned int n)
{
	return (unsigned int)rand_r(&a->random) % n;
}

void nap(struct actor *a, unsigned int max_us)
{
	usleep(rnd(a, max_us) + 1);
}

void step(struct actor *a, const char *doing)
{
	set(&a->doing, doing);
	set(&a->steps, a->steps + 1);
}
