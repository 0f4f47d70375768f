// SPDX-License-Identifier: GPL-2.0
/*
 * Who keeps buffers alive: the descriptors and mappings of all processes. It is a
 * look at a moving thing; what goes away meanwhile is left out.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dmabufctl.h"

#define DMABUF		"/dmabuf:"
#define CONTROL		"anon_inode:[dma_buf_control]"

/* The process that is looked at. */
struct process {
	int pid;
	char comm[32];
	struct holders *holders;
};

static bool add(struct process *p, uint64_t id, enum holder_kind kind, int fd)
{
	struct holders *h = p->holders;
	struct holder *list = realloc(h->list, (h->n + 1) * sizeof(*list));

	if (!list)
		return false;
	h->list = list;
	list[h->n] = (struct holder) { .id = id, .pid = p->pid, .kind = kind, .fd = fd };
	memcpy(list[h->n++].comm, p->comm, sizeof(p->comm));
	return true;
}

static bool is_number(const char *s)
{
	return isdigit((unsigned char)*s);
}

/* A handle does not say of which buffer it is: it has to be asked. */
static bool add_control(struct process *p, int fd)
{
	struct dma_buf_exporter_info info;
	int own = file_of_process(p->pid, fd);
	bool ok = true;

	if (own < 0)
		return true;
	if (!info_get(own, &info))
		ok = add(p, info.id, HOLDER_CONTROL, fd);
	close(own);
	return ok;
}

static bool scan_fds(struct process *p)
{
	char path[64], target[128];
	struct dirent *entry;
	bool ok = true;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", p->pid);
	dir = opendir(path);
	while (ok && dir && (entry = readdir(dir))) {
		struct stat st;
		ssize_t n;

		if (!is_number(entry->d_name))
			continue;
		n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
		if (n < 0)
			continue;
		target[n] = '\0';
		if (!strcmp(target, CONTROL))
			ok = add_control(p, atoi(entry->d_name));
		else if (!strncmp(target, DMABUF, strlen(DMABUF)) &&
			 !fstatat(dirfd(dir), entry->d_name, &st, 0))
			ok = add(p, st.st_ino, HOLDER_FD, atoi(entry->d_name));
	}
	if (dir)
		closedir(dir);
	return ok;
}

/* One more mapping of a buffer the process may have mapped already. */
static bool add_mapping(struct process *p, uint64_t id, size_t first)
{
	struct holders *h = p->holders;

	for (size_t i = first; i < h->n; i++) {
		if (h->list[i].id == id) {
			h->list[i].fd++;
			return true;
		}
	}
	return add(p, id, HOLDER_MAPPING, 1);
}

static bool scan_maps(struct process *p)
{
	size_t first = p->holders->n, room = 0;
	char path[64], *line = NULL;
	bool ok = true;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", p->pid);
	f = fopen(path, "re");
	while (ok && f && getline(&line, &room, f) > 0) {
		unsigned long long id;
		int name = 0;

		if (sscanf(line, "%*s %*s %*s %*s %llu %n", &id, &name) == 1 &&
		    !strncmp(line + name, DMABUF, strlen(DMABUF)))
			ok = add_mapping(p, id, first);
	}
	free(line);
	if (f)
		fclose(f);
	return ok;
}

static void read_comm(struct process *p)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", p->pid);
	f = fopen(path, "re");
	if (!f || !fgets(p->comm, sizeof(p->comm), f))
		snprintf(p->comm, sizeof(p->comm), "?");
	p->comm[strcspn(p->comm, "\n")] = '\0';
	if (f)
		fclose(f);
}

int holders_find(struct holders *holders)
{
	struct dirent *entry;
	bool ok = true;
	DIR *dir;

	*holders = (struct holders) {};
	dir = opendir("/proc");
	if (!dir)
		return fail("list: /proc: %s", strerror(errno));
	while (ok && (entry = readdir(dir))) {
		struct process p = { .holders = holders };

		if (!is_number(entry->d_name))
			continue;
		p.pid = atoi(entry->d_name);
		read_comm(&p);
		ok = scan_fds(&p) && scan_maps(&p);
	}
	closedir(dir);
	if (ok)
		return STATUS_OK;
	holders_free(holders);
	return fail("list: %s", strerror(ENOMEM));
}

void holders_free(struct holders *holders)
{
	free(holders->list);
}
