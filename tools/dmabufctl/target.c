// SPDX-License-Identifier: GPL-2.0
/* Descriptors of other processes: PID:FD. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dmabufctl.h"

#define DEVICE	"/dev/dma_buf_exporter"

/* A descriptor of our own for the file, or -1 with errno. */
int file_of_process(int pid, int fd)
{
	int pidfd = syscall(SYS_pidfd_open, pid, 0);
	int own, err;

	if (pidfd < 0)
		return -1;
	own = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	err = errno;
	close(pidfd);
	errno = err;
	return own;
}

/* A number of decimal digits that ends at @end. */
static bool parse_number(const char *s, char end, long *n, const char **rest)
{
	char *stop;

	if (*s < '0' || *s > '9')
		return false;
	errno = 0;
	*n = strtol(s, &stop, 10);
	*rest = stop + 1;
	return !errno && *n <= INT_MAX && *stop == end;
}

static const char *why(int err)
{
	switch (err) {
	case ESRCH:
		return "there is no such process";
	case EINVAL:
		return "that is not a process";
	case EBADF:
		return "the process has no such descriptor";
	case EPERM:
		return "that takes the right to ptrace the process";
	default:
		return strerror(err);
	}
}

int target_open(struct target *target, const char *name)
{
	const char *rest;
	long pid, fd;

	target->name = name;
	if (parse_number(name, '\0', &fd, &rest)) {
		target->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (target->fd < 0)
			return fail("%s: no such descriptor was passed on to this program", name);
		return STATUS_OK;
	}
	if (!parse_number(name, ':', &pid, &rest) || !parse_number(rest, '\0', &fd, &rest))
		return usage();
	target->fd = file_of_process(pid, fd);
	if (target->fd < 0)
		return fail("%s: %s", name, why(errno));
	return STATUS_OK;
}

void target_close(struct target *target)
{
	close(target->fd);
}

/* The control device, or -1 after a line that says why not. */
int control_open(void)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		fail("%s: %s%s", DEVICE, strerror(errno),
		     errno == ENOENT ? " (is the module dma_buf_exporter loaded?)" : "");
	return fd;
}
