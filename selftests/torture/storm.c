// SPDX-License-Identifier: GPL-2.0
/*
 * A process that does nothing but fork, while a thread with a higher priority takes
 * the memory away in the middle of each fork: whichever entry the child has then
 * should not be there. It looks for one before it ends.
 */
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include "torture.h"

#define STORM_SIZE	(16 * PMD)
#define STORM_MAPS	8

static char *maps[STORM_MAPS];

/* A kernel that can be preempted anywhere is: both are on one processor then. */
static bool preemptible(void)
{
	FILE *f = fopen("/sys/kernel/debug/sched/preempt", "re");
	char line[64] = "";

	if (!f)
		return false;
	if (!fgets(line, sizeof(line), f))
		line[0] = 0;
	fclose(f);
	return strstr(line, "(full)") || strstr(line, "(lazy)");
}

static void stay_on(unsigned int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
}

void storm_init(void)
{
	struct et_alloc how = {
		.size = STORM_SIZE, .kind = ET_PAGES, .fd_flags = O_RDWR | O_CLOEXEC,
	};

	w->storm.fd = -1;
	w->storm.fork_ns = 2000000;
	if (access("/dev/pfnmap_probe", R_OK)) {
		say("no pfnmap_probe: what a fork leaves behind is not looked at");
		return;
	}
	if (ioctl(et, ET_ALLOC, &how)) {
		bad(BAD_ERROR, "ET_ALLOC: %s", strerror(errno));
		return;
	}
	w->storm.fd = how.fd;
	w->storm.id = how.id;
	w->storm.buffer.index = MAX_BUFFERS;
	w->storm.start = eventfd(0, EFD_CLOEXEC);
	w->storm.done = eventfd(0, EFD_CLOEXEC);
}

static void event_set(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) != sizeof(one))
		abort();
}

static bool event_wait(int fd, int timeout_ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	uint64_t n;

	return poll(&pfd, 1, timeout_ms) == 1 && read(fd, &n, sizeof(n)) == sizeof(n);
}

/* Takes the memory away at a random moment of each fork. */
void *storm_suspender(void *arg)
{
	struct sched_param param = { .sched_priority = 1 };
	struct et_move how = {
		.id = w->storm.id, .flags = ET_REVOKE_SUSPEND, .timeout_ms = 1000,
	};
	struct actor *a = arg;

	if (w->storm.fd < 0)
		return NULL;
	actor_start(a);
	stay_on(preemptible() ? 0 : 1);
	sched_setscheduler(0, SCHED_FIFO, &param);
	while (!get(&w->stop)) {
		step(a, "wait for a fork");
		if (!event_wait(w->storm.start, 100))
			continue;
		nap(a, get(&w->storm.fork_ns) / 1000);
		step(a, "suspend during a fork");
		if (ioctl(et, ET_REVOKE, &how)) {
			bad(BAD_ERROR, "suspend during a fork: %s", strerror(errno));
			break;
		}
		add(&w->storm.buffer.closed[CLOSED_SUSPENDED], 1);
		event_wait(w->storm.done, 200);
		add(&w->storm.buffer.closed[CLOSED_SUSPENDED], 1);
		ioctl(et, ET_RESUME, how.id);
		did(a, DID_STORM);
	}
	actor_end(a);
	return NULL;
}

/* In the child: has it anything, while there should be nothing? */
static void storm_child(struct actor *a)
{
	uint32_t *closed = &w->storm.buffer.closed[CLOSED_SUSPENDED], before = get(closed);

	if (!(before & 1))
		_exit(0);
	did(a, DID_STORM_HIT);
	for (uint64_t off = 0; off < STORM_MAPS * STORM_SIZE; off += PMD) {
		if (probe(maps[off / STORM_SIZE] + off % STORM_SIZE).level ==
		    PFNMAP_PROBE_NONE || get(closed) != before)
			continue;
		bad(BAD_CLOSED, "a child has an entry of a suspended buffer, mapping %lu of %u",
		    off / STORM_SIZE, STORM_MAPS);
		break;
	}
	_exit(0);
}

static void storm_fork(struct actor *a)
{
	uint64_t start;
	int status;
	pid_t pid;

	for (unsigned int i = 0; i < STORM_MAPS; i++)
		for (uint64_t off = 0; off < STORM_SIZE; off += PMD)
			peek(maps[i] + off);
	step(a, "fork");
	event_set(w->storm.start);
	start = now_ns();
	pid = fork();
	if (!pid)
		storm_child(a);
	set(&w->storm.fork_ns, (get(&w->storm.fork_ns) * 7 + now_ns() - start) / 8);
	if (waitpid(pid, &status, 0) != pid || status)
		bad(BAD_SIGNAL, "a child ended with status %#x", status);
	event_set(w->storm.done);
}

pid_t storm_start(struct actor *a)
{
	pid_t pid;

	if (w->storm.fd < 0)
		return 0;
	pid = fork();
	if (pid)
		return pid;
	actor_start(a);
	stay_on(0);
	for (unsigned int i = 0; i < STORM_MAPS; i++)
		maps[i] = mmap(reserve(STORM_SIZE, 0), STORM_SIZE, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_FIXED, w->storm.fd, 0);
	while (!get(&w->stop))
		storm_fork(a);
	actor_end(a);
	_exit(0);
}
