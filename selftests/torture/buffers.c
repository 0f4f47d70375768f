// SPDX-License-Identifier: GPL-2.0
/*
 * The buffers, which the keeper makes, replaces when they were revoked, and frees.
 * The others get at its descriptors by a pidfd.
 */
#include <poll.h>
#include <sys/pidfd.h>

#include <linux/dma-buf-exporter.h>

#include "torture.h"

#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

/* Of PMDs and pieces of such, of single pages, and with an odd end. */
static const unsigned int sizes_in_pages[] = { 512, 1024, 16, 512 + 5, 1, 1536, 130 };

static int keeper = -1;

static int alloc_exporter_test(struct buffer *b, unsigned int kind, unsigned int chunk,
			       unsigned int caching)
{
	struct et_alloc how = {
		.size = b->size, .kind = kind, .caching = caching, .chunk = chunk,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};

	if (ioctl(et, ET_ALLOC, &how))
		return -errno;
	b->fd = how.fd;
	b->control = -1;
	b->id = how.id;
	b->node_offset = how.node_offset;
	return 0;
}

static int alloc_heap(struct buffer *b, const char *placement)
{
	struct dma_buf_exporter_alloc alloc = {
		.size = sizeof(alloc), .length = b->size, .fd_flags = O_RDWR | O_CLOEXEC,
		.source = "pfnmap",
	};

	snprintf(alloc.placement, sizeof(alloc.placement), "%s", placement);
	if (ioctl(ctl, DMA_BUF_EXPORTER_ALLOC, &alloc))
		return -errno;
	b->fd = alloc.fd;
	b->control = alloc.control_fd;
	b->id = 0;
	return 0;
}

/* Other places may be full: there is always the first. */
static int alloc_again(struct actor *a, struct buffer *b)
{
	int ret;

	if (b->heap) {
		ret = alloc_heap(b, w->placements[rnd(a, w->nr_placements)]);
		return ret ? alloc_heap(b, w->placements[0]) : 0;
	}
	ret = alloc_exporter_test(b, rnd(a, ET_IO + 1), rnd(a, 5), rnd(a, 3) ? 0 : 1);
	return ret ? alloc_exporter_test(b, ET_PAGES, 0, 0) : 0;
}

static void count_faults(struct buffer *b)
{
	struct dma_buf_exporter_info info = { .size = sizeof(info), .fd = b->fd };

	if (ioctl(ctl, DMA_BUF_EXPORTER_INFO, &info))
		return;
	w->faults_pmd += info.pmd_faults;
	w->faults_pte += info.pte_faults;
}

static void free_one(struct buffer *b)
{
	count_faults(b);
	close(b->fd);
	if (b->control >= 0)
		close(b->control);
	if (b->id)
		ioctl(et, ET_FREE, b->id);
}

/* New ones for those that were revoked, once nobody controls them any more. */
void buffers_replace(struct actor *a)
{
	for (unsigned int i = 0; i < w->nr_buffers; i++) {
		struct buffer *b = &w->buffers[i];
		int ret;

		if (get(&b->state) == LIVE || get(&b->ops))
			continue;
		step(a, "replace a buffer");
		free_one(b);
		ret = alloc_again(a, b);
		if (ret) {
			bad(BAD_ERROR, "a new buffer %u: %s", i, strerror(-ret));
			return;
		}
		slots_reset(b, b->gen + 1);
		set(&b->gen, b->gen + 1);
		set(&b->state, LIVE);
	}
}

/* From here on its id and its descriptors stay what they are. */
bool buffer_enter(struct buffer *b)
{
	add(&b->ops, 1);
	if (get(&b->state) == LIVE)
		return true;
	buffer_leave(b);
	return false;
}

void buffer_leave(struct buffer *b)
{
	add(&b->ops, -1);
}

/* Is it still the same? */
bool buffer_is(struct buffer *b, uint32_t gen)
{
	return get(&b->state) == LIVE && get(&b->gen) == gen;
}

/* A descriptor of our own, or -1 if the buffer is another one by now. */
int buffer_fd(struct buffer *b, uint32_t gen, bool control)
{
	int fd;

	if (!buffer_is(b, gen))
		return -1;
	fd = syscall(SYS_pidfd_getfd, keeper, control ? b->control : b->fd, 0);
	if (buffer_is(b, gen)) {
		if (fd < 0)
			bad(BAD_ERROR, "pidfd_getfd: %s", strerror(errno));
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Until the devices that were set to work on it are done; false if it was revoked. */
bool buffer_wait_devices(struct buffer *b, uint32_t gen)
{
	struct pollfd fences = { .fd = buffer_fd(b, gen, false), .events = POLLOUT };

	if (fences.fd < 0)
		return false;
	if (poll(&fences, 1, -1) < 0)
		bad(BAD_ERROR, "poll of buffer %u.%u: %s", b->index, gen, strerror(errno));
	close(fences.fd);
	return true;
}

/* Has the heap such a placement? */
int place_probe(const char *placement)
{
	struct buffer probe = { .size = PAGE };
	int ret = alloc_heap(&probe, placement);

	if (!ret)
		free_one(&probe);
	return ret;
}

/* The kinds of memory that exporter_test has in this machine. */
static void kinds_init(void)
{
	struct buffer probe = { .size = PAGE };

	for (unsigned int kind = 0; kind <= ET_IO; kind++) {
		w->kinds[kind] = !alloc_exporter_test(&probe, kind, 0, kind == ET_IO);
		if (w->kinds[kind])
			free_one(&probe);
	}
}

int buffers_init(void)
{
	int ret;

	keeper = pidfd_open(getpid(), 0);
	if (keeper < 0)
		return -errno;
	kinds_init();
	for (unsigned int i = 0; i < w->nr_buffers; i++) {
		struct buffer *b = &w->buffers[i];

		b->index = i;
		b->gen = 1;
		b->heap = w->nr_placements && i & 1;
		b->size = sizes_in_pages[i % ARRAY_SIZE(sizes_in_pages)] * PAGE;
		b->tokens = mmap(NULL, b->size / SLOT * sizeof(*b->tokens),
				 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (b->tokens == MAP_FAILED)
			return -ENOMEM;
		slots_reset(b, b->gen);
		ret = b->heap ? alloc_heap(b, w->placements[0]) :
				alloc_exporter_test(b, ET_PAGES, 0, 0);
		if (ret)
			return ret;
	}
	return 0;
}

void buffers_free(void)
{
	for (unsigned int i = 0; i < w->nr_buffers; i++)
		free_one(&w->buffers[i]);
	close(w->storm.fd);
	if (w->storm.id)
		ioctl(et, ET_FREE, w->storm.id);
}
