// SPDX-License-Identifier: GPL-2.0
/*
 * One cell: in a process group of its own, which may crash or hang without
 * harm, on a mapping of its own, with the data checked from inside and, through
 * a new mapping, from outside.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gup_surface.h"

/* Emulated machines are slow; nothing here takes a second on them. */
#define CELL_TIMEOUT_MS 10000
#define KILL_TIMEOUT_MS 2000

static void *map_buffer(const struct exporter *e)
{
	return mmap(NULL, e->size, PROT_READ | PROT_WRITE, MAP_SHARED, e->fd, 0);
}

static bool writable(unsigned char *map)
{
	__u64 *p = (__u64 *)map;
	__u64 old = __atomic_load_n(p, __ATOMIC_RELAXED);
	bool ok;

	__atomic_store_n(p, ~old, __ATOMIC_RELAXED);
	ok = __atomic_load_n(p, __ATOMIC_RELAXED) == ~old;
	__atomic_store_n(p, old, __ATOMIC_RELAXED);
	return ok;
}

/*
 * The view from outside, for as long as the exporter is tested. No cell
 * inherits it, so none can do it harm.
 */
unsigned char *watch_buffer(const struct exporter *e)
{
	unsigned char *map = map_buffer(e);

	if (map == MAP_FAILED)
		return NULL;
	madvise(map, e->size, MADV_DONTFORK);
	return map;
}

/* A new mapping of the buffer is possible, and shows it. */
static bool survived(const struct exporter *e)
{
	unsigned char *map = mmap(NULL, WINDOW, PROT_READ, MAP_SHARED, e->fd, 0);
	bool ok = map != MAP_FAILED && !memcmp(map, e->watch, 4096);

	if (map != MAP_FAILED)
		munmap(map, WINDOW);
	return ok;
}

static bool window_must_hold(const struct user *u, const struct result *r)
{
	return r->kind == REFUSED || !(u->flags & USER_CHANGES_DATA);
}

static struct result inside(const struct exporter *e, const struct user *u)
{
	struct cell c = { .fd = e->fd, .size = e->size, .arg = u->arg };
	struct result r;

	c.map = map_buffer(e);
	if (c.map == MAP_FAILED)
		return odd("cannot map it: %s", strerrorname_np(errno));
	/* What is there already: this makes writable entries for all of it. */
	if (!(u->flags & USER_UNTOUCHED))
		pattern_fill(c.map, c.size);

	r = u->try(&c);

	if (r.kind == SKIPPED || r.kind == ODD)
		return r;
	if (!pattern_rest_ok(c.map, c.size) ||
	    (window_must_hold(u, &r) && !pattern_window_ok(c.map, WINDOW)))
		return odd("damaged");
	if (!writable(c.map))
		return odd("read-only");
	return r;
}

static bool ended(int pidfd, int timeout)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int n;

	do
		n = poll(&p, 1, timeout);
	while (n < 0 && errno == EINTR);
	return n > 0;
}

static void wait_for(pid_t pid, struct result *r)
{
	int pidfd = pidfd_open(pid, 0);
	bool late = pidfd >= 0 && !ended(pidfd, CELL_TIMEOUT_MS);
	int status;

	/* What the cell left behind goes with it. */
	if (late)
		kill(-pid, SIGKILL);
	if (late && !ended(pidfd, KILL_TIMEOUT_MS)) {
		close(pidfd);
		*r = odd("unkillable");
		return;
	}
	close(pidfd);
	kill(-pid, SIGKILL);
	waitpid(pid, &status, 0);
	if (late)
		*r = (struct result){ .kind = HUNG };
	else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		*r = (struct result){ .kind = HUNG };
	else if (WIFSIGNALED(status))
		*r = (struct result){ .kind = DIED, .value = WTERMSIG(status) };
}

struct result run_cell(const struct exporter *e, const struct user *u)
{
	static struct result *shared;
	struct result r;
	pid_t pid;

	if (!shared) {
		shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (shared == MAP_FAILED)
			abort();
	}
	*shared = odd("no result");

	pattern_fill(e->watch, e->size);
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return skipped("fork: %s", strerrorname_np(errno));
	if (!pid) {
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		*shared = inside(e, u);
		_exit(0);
	}
	setpgid(pid, pid);
	wait_for(pid, shared);
	r = *shared;

	if (!survived(e))
		return odd(BUFFER_LOST);
	if (r.kind != ODD && (!pattern_rest_ok(e->watch, e->size) ||
			      (r.kind != SKIPPED && window_must_hold(u, &r) &&
			       !pattern_window_ok(e->watch, WINDOW))))
		r = odd("damaged");
	return r;
}
