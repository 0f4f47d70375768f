// SPDX-License-Identifier: GPL-2.0
/* Is anybody stuck? And where is everybody, then. */
#include <dirent.h>

#include "torture.h"

/* Looks of the keeper, a second or more apart. */
#define STUCK_AFTER	20

/* Called once a second. */
bool watch_stuck(void)
{
	bool stuck = false;

	for (unsigned int i = 1; i < w->nr_actors; i++) {
		struct actor *a = &w->actors[i];
		uint64_t steps = get(&a->steps);

		if (steps != a->seen || get(&a->tid) <= 0) {
			a->seen = steps;
			a->idle = 0;
		} else if (++a->idle == STUCK_AFTER) {
			bad(BAD_STUCK, "%d of process %d does nothing since %d s: %s", a->tid,
			    a->pid, STUCK_AFTER, a->doing);
			stuck = true;
		}
	}
	return stuck;
}

static void dump_file(const char *fmt, pid_t pid, pid_t tid)
{
	char path[128], line[512];
	FILE *f;

	snprintf(path, sizeof(path), fmt, pid, tid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		say("  %s", line);
	}
	if (f)
		fclose(f);
}

static void dump_process(pid_t pid)
{
	struct dirent *entry;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		pid_t tid = atoi(entry->d_name);

		if (!tid)
			continue;
		say("thread %d of process %d:", tid, pid);
		dump_file("/proc/%d/task/%d/wchan", pid, tid);
		dump_file("/proc/%d/task/%d/stack", pid, tid);
	}
	if (dir)
		closedir(dir);
}

/* All tasks of ours: those of our process group. */
void watch_dump(void)
{
	struct dirent *entry;
	DIR *dir = opendir("/proc");

	for (unsigned int i = 0; i < w->nr_actors; i++) {
		struct actor *a = &w->actors[i];

		if (get(&a->tid))
			say("%d of process %d: %s, idle for %u s", a->tid, a->pid, a->doing,
			    a->idle);
	}
	while (dir && (entry = readdir(dir))) {
		pid_t pid = atoi(entry->d_name);

		if (pid && getpgid(pid) == getpgid(0))
			dump_process(pid);
	}
	if (dir)
		closedir(dir);
	dump_file("/sys/kernel/debug/dma_buf_exporter/buffers", 0, 0);
}
