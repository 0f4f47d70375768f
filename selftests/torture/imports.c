// SPDX-License-Identifier: GPL-2.0
/*
 * The importers of an actor. The first ones unmap when they are told to and stay;
 * the last one is there for a few jobs, because it may be in the way of a move.
 */
#include "torture.h"

static int device(const struct import *i, unsigned long how, uint64_t offset, void *data,
		  size_t len, bool write)
{
	struct et_copy copy = {
		.id = i->et.id, .write = write, .offset = offset, .len = len,
		.user = (uintptr_t)data,
	};

	return ioctl(et, how, &copy) ? -errno : 0;
}

int dma(const struct import *i, uint64_t offset, void *data, size_t len, bool write)
{
	return device(i, ET_DMA, offset, data, len, write);
}

/* The device may go on after it was unmapped: a fence says for how long. */
int dma_job(const struct import *i, uint64_t offset, void *data, size_t len, bool write)
{
	return device(i, ET_JOB, offset, data, len, write);
}

/*
 * Importers need pages, unless they take memory of a device, and the heap has
 * some that not every device can reach.
 */
static bool may_refuse(const struct buffer *b, unsigned int how, int err)
{
	return err == -EOPNOTSUPP && (b->heap || how == ET_STATIC || how == ET_DYNAMIC);
}

int import_make(struct actor *a, struct import *i, struct buffer *b, uint32_t gen,
		unsigned int how, bool pin)
{
	struct guard g;
	int fd, ret;

	guard_begin(b, gen, &g);
	fd = buffer_fd(b, gen, false);
	if (fd < 0)
		return -ENODEV;
	i->buffer = b->index;
	i->gen = gen;
	i->et = (struct et_import) { .fd = fd, .dynamic = how, .pin = pin };
	critical_enter();
	ret = ioctl(et, ET_IMPORT, &i->et) ? -errno : 0;
	if (ret)
		i->et.id = 0;
	critical_leave();
	close(fd);
	if (!ret) {
		guard_reached(b, &g, "attaching");
		if (i->et.len != b->size)
			bad(BAD_ERROR, "buffer %u.%u: %llu bytes are mapped for DMA",
			    b->index, gen, (unsigned long long)i->et.len);
		did(a, pin ? DID_IMPORT_PINNED : DID_IMPORT_STATIC + how);
	} else if (!may_refuse(b, how, ret) && !guard_error(b, gen, &g, ret)) {
		bad(BAD_ERROR, "import %u of buffer %u.%u: %s", how, b->index, gen,
		    strerror(-ret));
	}
	return ret;
}

void import_drop(struct import *i)
{
	uint32_t id = i->et.id;

	if (!id)
		return;
	critical_enter();
	if (ioctl(et, ET_UNIMPORT, id))
		bad(BAD_ERROR, "ET_UNIMPORT: %s", strerror(errno));
	i->et.id = 0;
	critical_leave();
}

void imports_drop(struct actor *a)
{
	for (unsigned int n = 0; n < IMPORTS; n++)
		import_drop(&a->own[n]);
}

/* One of that buffer, or NULL. */
struct import *import_find(struct actor *a, struct buffer *b, uint32_t gen)
{
	unsigned int start = a->only ? IMPORTS - 1 : rnd(a, IMPORTS);

	for (unsigned int n = 0; n < IMPORTS; n++) {
		struct import *i = &a->imports[(start + n) % IMPORTS];

		if (i->et.id && i->buffer == b->index && i->gen == gen)
			return i;
	}
	return NULL;
}

/* Attach to another buffer. */
void import_change(struct actor *a)
{
	struct import *i = &a->imports[rnd(a, IMPORTS - 1)];
	struct buffer *b = &w->buffers[rnd(a, w->nr_buffers)];

	step(a, "attach");
	import_drop(i);
	import_make(a, i, b, get(&b->gen), one_in(a, 8) ? ET_DYNAMIC : ET_P2P, false);
}

/* One that is, or may be, in the way of a move. */
void import_short(struct actor *a)
{
	static const struct {
		unsigned int how;
		bool pin;
	} kinds[] = {
		{ ET_STATIC }, { ET_LATE }, { ET_DYNAMIC, true }, { ET_P2P, true },
		{ ET_LATE, true },
	};
	unsigned int kind = rnd(a, ARRAY_SIZE(kinds)), jobs = rnd(a, 8);
	struct import *i = &a->imports[IMPORTS - 1];
	struct buffer *b = &w->buffers[rnd(a, w->nr_buffers)];

	step(a, "attach for a while");
	if (import_make(a, i, b, get(&b->gen), kinds[kind].how, kinds[kind].pin))
		return;
	/* Time for a move to begin, and to wait or to go wrong. */
	a->only = b;
	while (jobs--) {
		visit(a);
		nap(a, 4000);
		if (kinds[kind].how == ET_LATE && one_in(a, 4))
			ioctl(et, ET_UNMAP, i->et.id);
	}
	a->only = NULL;
	import_drop(i);
}
