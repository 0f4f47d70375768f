// SPDX-License-Identifier: GPL-2.0
/* Modules, sysfs and files that the cells need. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gup_surface.h"

extern char **environ;

const char *scratch_dir = "/mnt/scratch";

/* Modules that were not there before, to be taken away in the end. */
static const char *loaded[16];
static unsigned int nr_loaded;

/* Exit status of a program whose output does not matter; -1 without one. */
int run(const char *const argv[])
{
	posix_spawn_file_actions_t actions;
	int status, err;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	err = posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (err || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/* A reason that outlives its caller. */
const char *missing(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		abort();
	va_end(ap);
	return s;
}

const char *load_module(const char *name, const char *param)
{
	const char *argv[8] = { "modprobe", "-q", name };
	char *params, *p, *save = NULL;
	unsigned int argc = 3;
	bool present;
	char *path;
	int ret;

	if (asprintf(&path, "/sys/module/%s", name) < 0)
		abort();
	present = !access(path, F_OK);
	free(path);
	if (present)
		return NULL;

	params = strdup(param ? param : "");
	for (p = strtok_r(params, " ", &save); p && argc < ARRAY_SIZE(argv) - 1;
	     p = strtok_r(NULL, " ", &save))
		argv[argc++] = p;
	ret = run(argv);
	free(params);
	if (ret)
		return missing("no module %s", name);
	if (nr_loaded < ARRAY_SIZE(loaded))
		loaded[nr_loaded++] = name;
	return NULL;
}

void unload_modules(void)
{
	while (nr_loaded) {
		const char *const argv[] = { "modprobe", "-q", "-r", loaded[--nr_loaded], NULL };

		run(argv);
	}
}

long read_long(const char *path)
{
	FILE *f = fopen(path, "re");
	long value = -1;

	if (!f)
		return -1;
	if (fscanf(f, "%ld", &value) != 1)
		value = -1;
	fclose(f);
	return value;
}

int write_string(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, value, strlen(value));
	close(fd);
	return n < 0 ? -errno : 0;
}

/* A file without a name in the scratch directory. */
int scratch_file(int flags)
{
	return open(scratch_dir, O_TMPFILE | O_RDWR | O_CLOEXEC | flags, 0600);
}
