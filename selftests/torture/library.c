// SPDX-License-Identifier: GPL-2.0
/*
 * The importer library, by the driver of its guide: an open file has imported a
 * buffer, and is read and written wherever that is. A thread keeps some files, so that
 * there are kernel mappings when buffers move; its child has them too. The kernel
 * closes those of who is killed.
 */
#include "torture.h"

#include "example_importer.h"

#define NODES	3

/* An import; @gen is 0 without one. */
struct node {
	int fd;
	unsigned int buffer;
	uint32_t gen;
};

static __thread struct node nodes[NODES];

/* Of that buffer, instead of an older one. */
static int node_open(struct node *n, struct buffer *b, uint32_t gen)
{
	int fd = buffer_fd(b, gen, false), ret;

	if (fd < 0)
		return -ENODEV;
	if (n->gen)
		close(n->fd);
	n->fd = importer_open(O_RDWR);
	ret = n->fd < 0 ? -errno : importer_import(n->fd, fd);
	close(fd);
	if (ret && n->fd >= 0)
		close(n->fd);
	n->buffer = b->index;
	n->gen = ret ? 0 : gen;
	return ret;
}

static int node_get(struct actor *a, struct buffer *b, uint32_t gen, struct node **n)
{
	for (*n = nodes; *n < nodes + NODES; ++*n)
		if ((*n)->gen == gen && (*n)->buffer == b->index)
			return 0;
	*n = &nodes[rnd(a, NODES)];
	return node_open(*n, b, gen);
}

/* Comes back for as long as it is told to: others sleep in a page fault meanwhile. */
int library_access(struct actor *a, struct buffer *b, uint32_t gen, uint64_t offset,
		   void *data, size_t len, bool write)
{
	struct node *n;
	ssize_t done;
	int ret;

	ret = node_get(a, b, gen, &n);
	if (ret)
		return ret;
	for (;;) {
		done = write ? pwrite(n->fd, data, len, offset) :
			       pread(n->fd, data, len, offset);
		if (done >= 0 || errno != EAGAIN)
			break;
		did(a, DID_COME_BACK);
	}
	if (done < 0)
		return -errno;
	return done == len ? 0 : -ENODATA;
}

/* One that has the buffer mapped; -1 with errno set. */
int library_open(int fd)
{
	int node = importer_open(O_RDWR), err;
	uint64_t word;

	if (node < 0)
		return -1;
	if (!importer_import(node, fd) && pread(node, &word, sizeof(word), 0) == sizeof(word))
		return node;
	err = errno;
	close(node);
	errno = err;
	return -1;
}

void library_init(void)
{
	w->library = !access("/dev/example_importer", F_OK);
}
