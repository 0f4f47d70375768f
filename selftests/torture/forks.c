// SPDX-License-Identifier: GPL-2.0
/*
 * Children that find the mappings of their parent, use them, and exit or are
 * killed while they do. The parent's thread lends them its importers.
 */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "torture.h"

static void child_main(struct actor *child, unsigned int visits)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	actor_start(child);
	while (visits-- && !get(&w->stop))
		visit(child);
	_exit(0);
}

void fork_and_check(struct actor *a, struct actor *child)
{
	bool murder = one_in(a, 3);
	int status;
	pid_t pid;

	critical_enter();
	step(a, "fork");
	child->random = rand_r(&a->random);
	child->imports = a->own;
	pid = fork();
	if (!pid)
		child_main(child, murder ? 10000 : 1 + rnd(child, 20));
	if (pid < 0) {
		bad(BAD_ERROR, "fork: %s", strerror(errno));
		goto out;
	}
	step(a, "wait for a child");
	if (murder) {
		nap(a, 10000);
		kill(pid, SIGKILL);
	}
	if (waitpid(pid, &status, 0) != pid)
		bad(BAD_ERROR, "waitpid: %s", strerror(errno));
	else if (status && !(murder && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
		bad(BAD_SIGNAL, "a child ended with status %#x", status);
	actor_end(child);
	slot_recover(child);
	did(a, murder ? DID_KILL_CHILD : DID_FORK);
out:
	critical_leave();
}
