// SPDX-License-Identifier: GPL-2.0
/*
 * Visits: one actor reads a slot by one path, checks it, writes it by a second and
 * maybe looks again by a third.
 */
#include "torture.h"

static uint64_t *at(const struct claim *c, const struct view *v)
{
	return (uint64_t *)(v->addr + (c->slot * SLOT - v->offset));
}

static int vmap_copy(struct actor *a, const struct claim *c, void *words, bool write)
{
	struct et_copy copy = {
		.fd = buffer_fd(c->buffer, c->gen, false), .write = write,
		.offset = c->slot * SLOT, .len = SLOT, .user = (uintptr_t)words,
	};
	int ret;

	if (copy.fd < 0)
		return -ENODEV;
	vmap_begin(a, c->buffer);
	ret = ioctl(et, ET_VMAP, &copy) ? -errno : 0;
	vmap_end(a);
	close(copy.fd);
	return ret;
}

/* Of this process: a descriptor from before the fork is the parent's memory. */
static int mem_copy(uint64_t *addr, void *words, bool write)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	ssize_t n;
	int ret;

	if (fd < 0)
		return -errno;
	if (write)
		n = pwrite(fd, words, SLOT, (off_t)addr);
	else
		n = pread(fd, words, SLOT, (off_t)addr);
	ret = n == SLOT ? 0 : n < 0 ? -errno : -EIO;
	close(fd);
	return ret;
}

static int path_copy(struct actor *a, const struct claim *c, const struct view *v,
		     enum path by, uint64_t *words, bool write)
{
	struct import *i;

	switch (by) {
	case BY_MEM:
		return mem_copy(at(c, v), words, write);
	case BY_VMAP:
		return vmap_copy(a, c, words, write);
	case BY_EDU:
		return edu_access(a, c->buffer, c->gen, c->slot * SLOT, words, SLOT, write);
	case BY_LIBRARY:
		return library_access(a, c->buffer, c->gen, c->slot * SLOT, words, SLOT, write);
	case BY_DMA:
		i = import_find(a, c->buffer, c->gen);
		return dma(i, c->slot * SLOT, words, SLOT, write);
	case BY_JOB:
		i = import_find(a, c->buffer, c->gen);
		return dma_job(i, c->slot * SLOT, words, SLOT, write);
	default:
		return write ? cpu_write(at(c, v), words) : cpu_read(words, at(c, v));
	}
}

/* A device that keeps its mapping may use memory that was revoked. */
static bool ends_when_revoked(enum path by)
{
	return by != BY_DMA && by != BY_JOB && by != BY_EDU;
}

static int path_use(struct actor *a, const struct claim *c, const struct view *v,
		    enum path by, uint64_t *words, bool write)
{
	struct guard g;
	bool shared;
	int ret;

	step(a, path_names[by]);
	guard_begin(c->buffer, c->gen, &g);
	shared = by == BY_VMAP && vmap_by_others(a, c->buffer);
	ret = path_copy(a, c, v, by, words, write);
	if (!ret) {
		guard_reached(c->buffer, &g, path_names[by]);
		if (g.revoked && ends_when_revoked(by) && !shared)
			bad(BAD_CLOSED, "buffer %u.%u was reached by %s after it was revoked",
			    c->buffer->index, c->gen, path_names[by]);
		did(a, (write ? DID_WRITE : DID_READ) + by);
	} else if (by == BY_EDU && c->buffer->heap && ret == -EOPNOTSUPP) {
		return ret;	/* out of its reach */
	} else if (!guard_error(c->buffer, c->gen, &g, ret)) {
		bad(BAD_ERROR, "%s buffer %u.%u offset %#lx by %s: %s",
		    write ? "writing" : "reading", c->buffer->index, c->gen,
		    c->slot * SLOT, path_names[by], strerror(-ret));
	} else if (ret == -ENODEV && by < NR_VIEW_KINDS) {
		did(a, DID_SIGBUS);
	}
	return ret;
}

int path_read(struct actor *a, const struct claim *c, const struct view *v,
	      enum path by, uint64_t *words)
{
	return path_use(a, c, v, by, words, false);
}

int path_write(struct actor *a, const struct claim *c, const struct view *v,
	       enum path by, uint32_t count)
{
	uint64_t words[WORDS];

	slot_fill(c, count, words);
	return path_use(a, c, v, by, words, true);
}

/* A path other than @not, if there is one. By the view itself most of the time. */
static enum path choose(struct actor *a, const struct claim *c, const struct view *v,
			enum path not, bool write)
{
	unsigned int what = rnd(a, 64);

	if (what < 3)
		return BY_MEM;
	if (what < 6)
		return BY_VMAP;
	if (what < 7 && one_in(a, 16) && edu_there())
		return BY_EDU;
	if (what >= 60 && w->library)
		return BY_LIBRARY;
	if ((what < (a->only ? 56 : 24) || v->kind == not || (write && v->kind == BY_READONLY)) &&
	    import_find(a, c->buffer, c->gen))
		return one_in(a, 4) ? BY_JOB : BY_DMA;
	if (write && v->kind == BY_READONLY)
		return BY_VMAP;
	return v->kind;
}

/* At the ends of the view and of PMDs more often than elsewhere. */
static uint32_t choose_slot(struct actor *a, const struct view *v)
{
	uint64_t first = v->offset / SLOT, n = v->len / SLOT, slot = rnd(a, n);

	switch (rnd(a, 8)) {
	case 0:
		slot = rnd(a, PAGE / SLOT);
		break;
	case 1:
		slot = n - 1 - rnd(a, PAGE / SLOT);
		break;
	case 2:
		slot = slot / (PMD / SLOT) * (PMD / SLOT) + rnd(a, 2);
		break;
	case 3:	/* where everybody has been before */
		slot = slot / (PAGE / SLOT) * (PAGE / SLOT);
		break;
	}
	return first + (slot < n ? slot : n - 1);
}

static void visit_write(struct actor *a, struct claim *c, struct view *v, enum path not)
{
	enum path by = choose(a, c, v, not, true);
	uint64_t words[WORDS];
	struct view *second;
	int ret;

	if (by == BY_READONLY || (by == BY_MEM && v->kind == BY_READONLY))
		return;
	ret = path_write(a, c, v, by, c->count + c->span + 1);
	if (ret == -ENODEV)
		c->span++;	/* there may have been a page of it */
	if (ret)
		return;
	c->count += c->span + 1;
	c->span = 0;
	c->by = by;
	if (!one_in(a, 4))
		return;
	second = view_get_second(a, v, c->slot * SLOT);
	if (!second)
		return;
	by = choose(a, c, second, c->by, false);
	if (!path_read(a, c, second, by, words))
		slot_check(a, c, words, by, "at once");
	view_put(second);
}

void visit(struct actor *a)
{
	struct view *v = view_get(a);
	uint64_t words[WORDS];
	struct claim c;
	enum path by;

	step(a, "look for a slot");
	if (!v)
		return;
	if (slot_claim(a, v->buffer, v->gen, choose_slot(a, v), &c)) {
		by = choose(a, &c, v, c.by, false);
		if (!path_read(a, &c, v, by, words)) {
			slot_check(a, &c, words, by, NULL);
			if (!one_in(a, 4))
				visit_write(a, &c, v, by);
		}
		slot_release(a, &c);
	}
	view_put(v);
}
