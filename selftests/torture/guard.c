// SPDX-License-Identifier: GPL-2.0
/*
 * Was an outcome right? Memory that nobody may reach must not have been reached
 * from before to after, and an error needs a reason. And reading and writing by
 * the processor, which survives the signal of a revoked buffer.
 */
#include <setjmp.h>
#include <signal.h>

#include "torture.h"

static __thread sigjmp_buf trap;
static __thread bool armed;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	if (get(&armed)) {
		set(&armed, false);
		siglongjmp(trap, sig);
	}
	bad(BAD_SIGNAL, "signal %d at %p in %d", sig, info->si_addr, gettid());
	signal(sig, SIG_DFL);
}

void trap_init(void)
{
	struct sigaction action = {
		.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
}

static int trapped(int sig)
{
	return sig == SIGBUS ? -ENODEV : -EACCES;
}

/* 0, -ENODEV for SIGBUS, -EACCES for SIGSEGV. */
int cpu_read(uint64_t *to, const uint64_t *from)
{
	int sig = sigsetjmp(trap, 0);

	if (sig)
		return trapped(sig);
	set(&armed, true);
	for (unsigned int i = 0; i < WORDS; i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
	set(&armed, false);
	return 0;
}

int cpu_write(uint64_t *to, const uint64_t *from)
{
	int sig = sigsetjmp(trap, 0);

	if (sig)
		return trapped(sig);
	set(&armed, true);
	for (unsigned int i = 0; i < WORDS; i++)
		__atomic_store_n(&to[i], from[i], __ATOMIC_RELAXED);
	set(&armed, false);
	return 0;
}

void guard_begin(struct buffer *b, uint32_t gen, struct guard *g)
{
	for (unsigned int i = 0; i < NR_CLOSED; i++)
		g->closed[i] = get(&b->closed[i]);
	g->revoked = get(&b->revoked) >= gen;
	/* In this order: one that begins in between is taken for under way. */
	g->suspended = get(&b->resumes) != (g->suspends = get(&b->suspends));
}

/* The memory has been reached since then. */
void guard_reached(struct buffer *b, const struct guard *g, const char *how)
{
	static const char * const why[NR_CLOSED] = { "suspended", "being copied" };

	for (unsigned int i = 0; i < NR_CLOSED; i++)
		if (g->closed[i] & 1 && get(&b->closed[i]) == g->closed[i])
			bad(BAD_CLOSED, "buffer %u.%u was reached by %s while it was %s",
			    b->index, b->gen, how, why[i]);
}

/* Does the error, which is negative, have a reason? */
bool guard_error(struct buffer *b, uint32_t gen, const struct guard *g, int err)
{
	bool suspended = g->suspended || get(&b->suspends) != g->suspends;
	bool revoked = get(&b->revoking) >= gen;

	switch (err) {
	case -EAGAIN:
		return suspended;
	case -EIO:	/* what /proc/self/mem makes of all errors */
		return suspended || revoked;
	case -ENODEV:
		return revoked;
	default:
		return false;
	}
}
