// SPDX-License-Identifier: GPL-2.0
/* Command line, and the keeper: starts the others, watches them, ends them. */
#include <getopt.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "torture.h"

#define MAX_SECONDS_TO_END	60

struct world *w;
int et = -1;
int ctl = -1;

static pid_t movers, storm;

static void print_usage(FILE *to)
{
	fputs("usage: torture [--seconds N] [--seed S] [--buffers N] [--threads N]\n"
	      "               [--placements NAME,...]\n"
	      "N threads in each of two processes use N buffers, while others move them.\n",
	      to);
}

static unsigned int number(const char *text, unsigned int max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 0);

	if (*end || !n || n > max) {
		print_usage(stderr);
		exit(2);
	}
	return n;
}

static const char *parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seconds", required_argument, NULL, 's' },
		{ "seed", required_argument, NULL, 'S' },
		{ "buffers", required_argument, NULL, 'b' },
		{ "threads", required_argument, NULL, 't' },
		{ "placements", required_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	const char *placements = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (c) {
		case 's':
			w->seconds = number(optarg, 7 * 24 * 3600);
			break;
		case 'S':
			w->seed = number(optarg, ~0U);
			break;
		case 'b':
			w->nr_buffers = number(optarg, MAX_BUFFERS);
			break;
		case 't':
			w->nr_threads = number(optarg, MAX_THREADS);
			break;
		case 'p':
			placements = optarg;
			break;
		default:
			print_usage(c == 'h' ? stdout : stderr);
			exit(c == 'h' ? 0 : 2);
		}
	}
	return placements;
}

static bool world_init(int argc, char **argv)
{
	struct timespec ts;
	int ret;

	clock_gettime(CLOCK_REALTIME, &ts);
	w = mmap(NULL, sizeof(*w), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (w == MAP_FAILED)
		return false;
	w->seconds = 60;
	w->seed = (ts.tv_sec * 1000 + ts.tv_nsec / 1000000) % 1000000 + 1;
	w->nr_buffers = 6;
	w->nr_threads = 3;
	w->nr_workers = 2;

	ret = setpgid(0, 0);
	(void)ret;	/* the leader of a session has a group of its own */
	et = et_open();
	ctl = open("/dev/dma_buf_exporter", O_RDWR | O_CLOEXEC);
	if (et < 0 || ctl < 0) {
		printf("1..0 # SKIP no exporter_test or no dma_buf_exporter\n");
		return false;
	}
	printf("TAP version 13\n");
	fflush(stdout);
	slots_init();
	library_init();
	places_init(parse(argc, argv));
	ret = buffers_init();
	if (ret)
		say("no buffers: %s", strerror(-ret));
	return !ret;
}

/* Until the time is over, or something is wrong. */
static void keep(struct actor *a)
{
	uint64_t second = 0;

	while (!get(&w->stop)) {
		uint64_t since = (now_ns() - w->start_ns) / 1000000000ULL;

		if (since >= w->seconds)
			break;
		if (since != second) {
			second = since;
			watch_stuck();
			if (second % 5 == 0)
				progress();
			if (second % 4 == 0)
				worker_kill(a);
		}
		step(a, "keep");
		buffers_replace(a);
		usleep(20000);
	}
	progress();
}

static bool process_wait(pid_t pid, const char *name, unsigned int seconds)
{
	int status;

	for (unsigned int ms = 0; pid && ms < seconds * 1000; ms += 10) {
		if (waitpid(pid, &status, WNOHANG) == pid) {
			if (status)
				bad(BAD_SIGNAL, "%s ended with status %#x", name, status);
			return true;
		}
		usleep(10000);
	}
	return !pid;
}

/* Everybody ends by himself, or is stuck. */
static bool wind_up(void)
{
	bool ended;

	set(&w->stop, 1);
	ended = workers_wait(MAX_SECONDS_TO_END);
	ended = process_wait(movers, "the movers", ended ? MAX_SECONDS_TO_END : 1) && ended;
	ended = process_wait(storm, "the forker", ended ? MAX_SECONDS_TO_END : 1) && ended;
	if (!ended)
		bad(BAD_STUCK, "not everybody has come to an end");
	if (w->bad[BAD_STUCK]) {
		watch_dump();
		signal(SIGTERM, SIG_IGN);
		for (unsigned int i = 0; i < w->nr_workers; i++)
			if (w->workers[i].pid > 0)
				kill(w->workers[i].pid, SIGKILL);
		if (movers > 0)
			kill(movers, SIGKILL);
		if (storm > 0)
			kill(storm, SIGKILL);
	}
	/* Should the movers have died with a copy under way, nobody else ends it. */
	ioctl(et, ET_FINISH, ECANCELED);
	return ended;
}

int main(int argc, char **argv)
{
	int live = live_buffers(), failed;
	struct actor *keeper, *forker;

	if (!world_init(argc, argv))
		return 4;
	say("seed %u, %u s, %u buffers, %u workers of %u threads", w->seed, w->seconds,
	    w->nr_buffers, w->nr_workers, w->nr_threads);
	say_again();
	trap_init();
	w->start_ns = now_ns();
	keeper = actor_new("keep");
	forker = actor_new("fork");
	actor_start(keeper);
	storm_init();
	movers = movers_start();
	storm = storm_start(forker);
	workers_start();
	keep(keeper);
	w->end_ns = now_ns();
	if (wind_up() && !w->messages) {
		buffers_replace(keeper);
		sweep(keeper);
	}
	buffers_free();
	failed = report(live);
	if (failed)
		say_again();
	return failed ? 1 : 0;
}
