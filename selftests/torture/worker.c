// SPDX-License-Identifier: GPL-2.0
/*
 * Workers: processes whose threads visit slots. The keeper kills one now and then,
 * wherever its threads are, takes back what it had, and starts another.
 */
#include <signal.h>
#include <sys/wait.h>

#include "torture.h"

/* Of a thread: itself, and the child it may have. */
struct pair {
	struct actor *thread;
	struct actor *child;
};

static struct pair pairs[MAX_WORKERS][MAX_THREADS];
static struct worker *self;
static unsigned int worker_index;

/* What the keeper could not clean up behind us: it waits for the end. */
void critical_enter(void)
{
	if (!self)
		return;
	add(&self->critical, 1);
	if (!get(&self->doomed))
		return;
	add(&self->critical, -1);
	for (;;)
		pause();
}

void critical_leave(void)
{
	if (self)
		add(&self->critical, -1);
}

static void work(struct actor *a, struct actor *child, unsigned int thread)
{
	unsigned int what = rnd(a, 200);

	if (what < 20)
		view_change(a, thread);
	else if (what < 24)
		import_change(a);
	else if (what < 28)
		import_short(a);
	else if (what < 30)
		fork_and_check(a, child);
	else
		visit(a);
}

static void *thread_main(void *arg)
{
	unsigned int thread = (uintptr_t)arg;
	struct pair *pair = &pairs[worker_index][thread];

	actor_start(pair->thread);
	while (!get(&w->stop))
		work(pair->thread, pair->child, thread);
	imports_drop(pair->thread);
	actor_end(pair->thread);
	return NULL;
}

static void worker_main(void)
{
	pthread_t threads[MAX_THREADS];

	edu_open();
	views_init();
	for (uintptr_t i = 0; i < w->nr_threads; i++)
		if (pthread_create(&threads[i], NULL, thread_main, (void *)i))
			_exit(1);
	for (unsigned int i = 0; i < w->nr_threads; i++)
		pthread_join(threads[i], NULL);
	_exit(0);
}

static void worker_start(unsigned int i)
{
	struct worker *worker = &w->workers[i];
	pid_t pid;

	worker->doomed = 0;
	worker->critical = 0;
	pid = fork();
	if (!pid) {
		self = worker;
		worker_index = i;
		worker_main();
	}
	worker->pid = pid;	/* its memory is shared */
	if (pid < 0)
		bad(BAD_ERROR, "fork: %s", strerror(errno));
}

void workers_start(void)
{
	for (unsigned int i = 0; i < w->nr_workers; i++) {
		for (unsigned int j = 0; j < w->nr_threads; j++) {
			pairs[i][j].thread = actor_new("start");
			pairs[i][j].child = actor_new("start");
		}
		worker_start(i);
	}
}

/* SIGKILL in the middle of faults, copies and waits, but not of what is critical. */
void worker_kill(struct actor *keeper)
{
	unsigned int i = rnd(keeper, w->nr_workers);
	struct worker *worker = &w->workers[i];
	int status;

	step(keeper, "kill a worker");
	set(&worker->doomed, 1);
	for (unsigned int ms = 0; get(&worker->critical); ms++) {
		usleep(1000);
		if (ms < 20000)
			continue;
		set(&worker->doomed, 0);	/* the watch knows better */
		kill(worker->pid, SIGKILL);
		bad(BAD_STUCK, "a worker does not come out of a system call");
		return;
	}
	kill(worker->pid, SIGKILL);
	if (waitpid(worker->pid, &status, 0) < 0 || !WIFSIGNALED(status) ||
	    WTERMSIG(status) != SIGKILL)
		bad(BAD_SIGNAL, "a worker ended with status %#x", status);
	for (unsigned int j = 0; j < w->nr_threads; j++) {
		struct actor *a = pairs[i][j].thread;

		actor_end(a);
		a->only = NULL;
		slot_recover(a);
		imports_drop(a);
	}
	did(keeper, DID_KILL_WORKER);
	worker_start(i);
}

/* For the end; false if it does not come. */
bool workers_wait(unsigned int seconds)
{
	unsigned int left = w->nr_workers;
	int status;

	for (unsigned int ms = 0; left && ms < seconds * 1000; ms += 10) {
		for (unsigned int i = 0; i < w->nr_workers; i++) {
			struct worker *worker = &w->workers[i];

			if (!worker->pid || waitpid(worker->pid, &status, WNOHANG) <= 0)
				continue;
			worker->pid = 0;
			left--;
			if (status)
				bad(BAD_SIGNAL, "a worker ended with status %#x", status);
		}
		usleep(10000);
	}
	return !left;
}
