// SPDX-License-Identifier: GPL-2.0
/* What is said while it runs, and the results. */
#include <stdarg.h>

#include "torture.h"

#define MAX_MESSAGES	16

static const char *const bad_names[NR_BAD] = {
	[BAD_LOST] = "no lost byte",
	[BAD_STALE] = "no stale byte",
	[BAD_FOREIGN] = "no foreign byte",
	[BAD_CLOSED] = "no access to memory that nobody may reach",
	[BAD_ERROR] = "no unexpected error",
	[BAD_SIGNAL] = "no unexpected signal",
	[BAD_STUCK] = "no stuck task",
};

static const char *const did_names[NR_DID] = {
	[DID_IMPORT_STATIC] = "static importers",
	[DID_IMPORT_DYNAMIC] = "dynamic importers",
	[DID_IMPORT_P2P] = "peer-to-peer importers",
	[DID_IMPORT_LATE] = "late importers",
	[DID_IMPORT_PINNED] = "pinned importers",
	[DID_MUNMAP] = "munmap",
	[DID_UNMAP_PART] = "munmap of a part",
	[DID_MREMAP] = "mremap",
	[DID_MPROTECT] = "mprotect",
	[DID_MADVISE] = "madvise",
	[DID_DUP] = "dup",
	[DID_FORK] = "forks",
	[DID_KILL_CHILD] = "killed children",
	[DID_KILL_WORKER] = "killed workers",
	[DID_SIGBUS] = "SIGBUS",
	[DID_TORN] = "writes cut short by a kill",
	[DID_STORM] = "suspensions during forks",
	[DID_STORM_HIT] = "of those, with a child that looked",
	[DID_MOVE_PAGES] = "moves to pages",
	[DID_MOVE_UNPAGED] = "moves to memory without pages",
	[DID_MOVE_IO] = "moves to I/O memory",
	[DID_MOVE_WC] = "moves to write-combined memory",
	[DID_MOVE_UC] = "moves to uncached memory",
	[DID_MOVE_CHUNKS] = "moves to chunks",
	[DID_MOVE_WAIT] = "moves with policy wait",
	[DID_MOVE_REVOKE] = "moves with policy revoke",
	[DID_MOVE_BLOCK] = "moves with policy block",
	[DID_MOVE_LOCKED] = "moves with the lock held",
	[DID_MOVE_FAIL] = "moves whose copy went wrong",
	[DID_MOVE_KILL] = "moves whose caller was killed",
	[DID_MOVE_ASYNC] = "asynchronous moves",
	[DID_ASYNC_FAIL] = "asynchronous moves that went wrong",
	[DID_SUSPEND] = "suspensions",
	[DID_REVOKED] = "revocations",
	[DID_EXPORT_AGAIN] = "second exports",
	[DID_MOVE_ALONE] = "moves with nobody else in the way",
	[DID_VHOLD] = "lasting vmaps",
	[DID_COME_BACK] = "times that the importer library said to come back",
	[DID_HEAP_MOVE] = "moves in the heap",
	[DID_HEAP_COMPACT] = "compactions",
};

static uint64_t elapsed_ms(void)
{
	return (now_ns() - w->start_ns) / 1000000 ?: 1;
}

static void put(const char *fmt, va_list args)
{
	char line[512] = "# ";
	int n = 2 + vsnprintf(line + 2, sizeof(line) - 3, fmt, args);

	if (n > (int)sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	/* In one piece, from whichever process. */
	if (write(STDOUT_FILENO, line, n) < 0)
		abort();
}

void say(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	put(fmt, args);
	va_end(args);
}

/* The first is enough to stop for. */
void bad(enum bad kind, const char *fmt, ...)
{
	unsigned long long ms;
	char text[400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	ms = elapsed_ms();
	add(&w->bad[kind], 1);
	set(&w->stop, 1);
	if (add(&w->messages, 1) <= MAX_MESSAGES)
		say("failed after %llu.%llu s: %s: %s", ms / 1000, ms / 100 % 10,
		    bad_names[kind], text);
}

static uint64_t sum(unsigned int what)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < w->nr_actors; i++)
		n += get(&w->actors[i].did[what]);
	return n;
}

static uint64_t sum_bytes(void)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < w->nr_actors; i++)
		n += get(&w->actors[i].bytes);
	return n;
}

void progress(void)
{
	uint64_t refused = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(w->move_errors); i++)
		refused += get(&w->move_errors[i]);
	say("%llu s: %llu moves, %llu refused, %llu suspended, %llu revoked, %llu MiB, %llu forks",
	    (unsigned long long)elapsed_ms() / 1000, (unsigned long long)get(&w->moves),
	    (unsigned long long)refused, (unsigned long long)sum(DID_SUSPEND),
	    (unsigned long long)sum(DID_REVOKED),
	    (unsigned long long)sum_bytes() >> 20,
	    (unsigned long long)(sum(DID_FORK) + sum(DID_KILL_CHILD) + sum(DID_STORM)));
}

/* On the host; testbed/check adds the kernel. */
void say_again(void)
{
	say("again: make torture MIN=%u SEED=%u", (w->seconds + 59) / 60, w->seed);
}

/* Not where the machine has no such memory, device or placement. */
static bool possible(unsigned int what)
{
	switch (what) {
	case DID_STORM:
	case DID_STORM_HIT:
		return w->storm.id;
	case DID_MOVE_UNPAGED:
		return w->kinds[ET_UNPAGED];
	case DID_MOVE_IO:
	case DID_MOVE_UC:
		return w->kinds[ET_IO];
	case DID_HEAP_MOVE:
	case DID_HEAP_COMPACT:
		return w->nr_placements;
	case DID_READ + BY_LIBRARY:
	case DID_WRITE + BY_LIBRARY:
		return w->library;
	case DID_COME_BACK:
	case DID_READ + BY_EDU:
	case DID_WRITE + BY_EDU:
	case DID_WRITE + BY_READONLY:
		return false;
	default:
		return true;
	}
}

static const char *name_of(unsigned int what, char *text, size_t size)
{
	unsigned int by = (what - DID_READ) % MAX_PATHS;

	if (what >= DID_HEAP_TO + w->nr_placements)
		return NULL;
	if (what >= DID_HEAP_TO) {
		snprintf(text, size, "moves to placement %s", w->placements[what - DID_HEAP_TO]);
		return text;
	}
	if (what >= DID_WRITE + MAX_PATHS)
		return did_names[what];
	if (by >= NR_PATHS)
		return NULL;
	snprintf(text, size, "%s by %s", what < DID_WRITE ? "reads" : "writes",
		 path_names[by]);
	return text;
}

/* How many kinds of actions there should have been, and were not. */
static unsigned int report_coverage(void)
{
	unsigned int missing = 0;
	char text[64];

	for (unsigned int what = 0; what < NR_DID; what++) {
		const char *name = name_of(what, text, sizeof(text));
		uint64_t n = sum(what);

		if (!name || (!n && !possible(what)))
			continue;
		say("%10llu %s", (unsigned long long)n, name);
		if (n)
			continue;
		if (!get(&w->messages))
			say("failed: there were no %s", name);
		missing++;
	}
	return missing;
}

static void report_sums(void)
{
	uint64_t ms = w->end_ns / 1000000 - w->start_ns / 1000000 ?: 1;

	say("%10llu moves, %llu.%llu a second", (unsigned long long)w->moves,
	    (unsigned long long)(w->moves * 1000 / ms),
	    (unsigned long long)(w->moves * 10000 / ms % 10));
	for (unsigned int i = 0; i < ARRAY_SIZE(w->move_errors); i++)
		if (w->move_errors[i])
			say("%10llu times no move: %s", (unsigned long long)w->move_errors[i],
			    strerror(i));
	say("%10llu faults, %llu of them answered with a PMD",
	    (unsigned long long)(w->faults_pmd + w->faults_pte),
	    (unsigned long long)w->faults_pmd);
	say("%10llu bytes checked", (unsigned long long)sum_bytes());
	say("%10llu bytes lost", (unsigned long long)w->lost);
	say("seed %u", w->seed);
}

static unsigned int result(bool good, const char *name)
{
	static unsigned int n;

	printf("%sok %u %s\n", good ? "" : "not ", ++n, name);
	return !good;
}

/* Buffers that were there before do not count. */
static bool all_freed(int live_before)
{
	for (unsigned int i = 0; i < 100; i++) {
		if (live_buffers() == live_before)
			return true;
		usleep(50000);
	}
	return false;
}

/* The number of results that are bad. */
int report(int live_before)
{
	bool freed = all_freed(live_before), stopped = w->messages;
	unsigned int failed = 0, missing;

	report_sums();
	missing = report_coverage();
	for (unsigned int i = 0; i < NR_BAD; i++)
		failed += result(!w->bad[i], bad_names[i]);
	failed += result(freed, "all buffers are freed");
	if (stopped && missing)
		printf("ok %u every kind of action # SKIP it was stopped before\n", NR_BAD + 2);
	else
		failed += result(!missing, "every kind of action");
	printf("1..%u\n", NR_BAD + 2);
	return failed;
}
