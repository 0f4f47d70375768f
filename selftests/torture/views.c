// SPDX-License-Identifier: GPL-2.0
/*
 * The mappings of a process. Each thread has some, which all threads use and only
 * it changes, while nobody does: unmaps them, in part too, moves and protects them.
 */
#include <sched.h>

#include "torture.h"

#define VIEWS	6	/* of a thread */

static struct view views[MAX_THREADS][VIEWS];

const char *const path_names[NR_PATHS] = {
	[BY_ALIGNED] = "an aligned mapping",
	[BY_MISALIGNED] = "a misaligned mapping",
	[BY_READONLY] = "a read-only mapping",
	[BY_WINDOW] = "a mapping of a part",
	[BY_NODE] = "a mapping of the node",
	[BY_MEM] = "/proc/self/mem",
	[BY_DMA] = "DMA",
	[BY_JOB] = "DMA that takes a while",
	[BY_VMAP] = "vmap",
	[BY_EDU] = "a DMA engine",
	[BY_LIBRARY] = "the importer library",
};

/* None is open in the beginning, and a worker that is started anew has none. */
void views_init(void)
{
	memset(views, 0, sizeof(views));
	for (unsigned int i = 0; i < MAX_THREADS * VIEWS; i++)
		views[i / VIEWS][i % VIEWS].closed = 1;
}

void view_put(struct view *v)
{
	add(&v->users, -1);
}

static bool view_use(struct view *v)
{
	add(&v->users, 1);
	if (!get(&v->closed))
		return true;
	view_put(v);
	return false;
}

/* Any open one of the process, of the buffer that the actor wants. */
struct view *view_get(struct actor *a)
{
	for (unsigned int tries = 0; tries < (a->only ? 64 : 8); tries++) {
		struct view *v = &views[rnd(a, w->nr_threads)][rnd(a, VIEWS)];

		if (get(&v->closed) || (a->only && v->buffer != a->only))
			continue;
		if (view_use(v))
			return v;
	}
	return NULL;
}

/* Another one that shows @offset of the same buffer, or NULL. */
struct view *view_get_second(struct actor *a, const struct view *first, uint64_t offset)
{
	unsigned int start = rnd(a, MAX_THREADS * VIEWS);

	for (unsigned int i = 0; i < MAX_THREADS * VIEWS; i++) {
		unsigned int n = (start + i) % (MAX_THREADS * VIEWS);
		struct view *v = &views[n / VIEWS][n % VIEWS];

		if (v == first || get(&v->closed) || !view_use(v))
			continue;
		if (v->buffer == first->buffer && v->gen == first->gen &&
		    offset >= v->offset && offset + SLOT <= v->offset + v->len)
			return v;
		view_put(v);
	}
	return NULL;
}

/* Only the thread whose view it is calls this, so it stays so. */
static void view_close(struct view *v)
{
	set(&v->closed, 1);
	while (get(&v->users))
		sched_yield();
}

/* Room for @len bytes at an address that is aligned to a PMD, plus @misalign. */
static char *place(uint64_t len, uint64_t misalign, char **end)
{
	char *p = mmap(NULL, len + 3 * PMD, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *addr = (char *)(((uintptr_t)p + PMD - 1) & ~(PMD - 1)) + misalign;

	if (p == MAP_FAILED)
		return NULL;
	*end = p + len + 3 * PMD;
	if (addr != p)
		munmap(p, addr - p);
	return addr;
}

static uint64_t misalignment(struct actor *a, enum path kind)
{
	return kind == BY_MISALIGNED ? (1 + rnd(a, PMD / PAGE - 1)) * PAGE : 0;
}

static void view_open(struct actor *a, struct view *v)
{
	struct buffer *b = &w->buffers[rnd(a, w->nr_buffers)];
	enum path kind = rnd(a, b->heap ? BY_NODE : NR_VIEW_KINDS);
	uint64_t pages = b->size / PAGE, offset = 0;
	int prot = PROT_READ | (kind == BY_READONLY ? 0 : PROT_WRITE);
	uint32_t gen = get(&b->gen);
	char *addr, *map, *end;
	struct guard g;
	int fd, fd2;

	if (kind == BY_WINDOW) {
		offset = rnd(a, pages);
		pages = 1 + rnd(a, pages - offset);
	}
	guard_begin(b, gen, &g);
	fd = buffer_fd(b, gen, false);
	if (fd < 0)
		return;
	if (one_in(a, 4)) {
		fd2 = dup(fd);
		close(fd);
		fd = fd2;
		did(a, DID_DUP);
	}
	addr = place(pages * PAGE, misalignment(a, kind), &end);
	map = mmap(addr, pages * PAGE, prot, MAP_SHARED | MAP_FIXED,
		   kind == BY_NODE ? et : fd,
		   kind == BY_NODE ? b->node_offset : offset * PAGE);
	if (map == MAP_FAILED && buffer_is(b, gen) && !guard_error(b, gen, &g, -errno))
		bad(BAD_ERROR, "mmap as %s of buffer %u.%u: %s", path_names[kind], b->index,
		    gen, strerror(errno));
	close(fd);
	munmap(addr + pages * PAGE, end - addr - pages * PAGE);
	/* A hole may be left, and somebody else's by now: keep off. */
	if (map == MAP_FAILED)
		return;
	/* Of the node it may be somebody else's, if the buffer has been replaced. */
	if (!buffer_is(b, gen)) {
		munmap(addr, pages * PAGE);
		return;
	}
	v->buffer = b;
	v->gen = gen;
	v->kind = kind;
	v->addr = addr;
	v->offset = offset * PAGE;
	v->len = pages * PAGE;
	set(&v->closed, 0);
}

static void view_unmap(struct actor *a, struct view *v)
{
	uint64_t words[WORDS];
	int ret;

	/* What was revoked is a signal, whichever mapping it was. */
	if (get(&v->buffer->revoked) >= v->gen) {
		ret = cpu_read(words, (uint64_t *)(v->addr + rnd(a, v->len / SLOT) * SLOT));
		if (ret != -ENODEV)
			bad(BAD_CLOSED, "%s of buffer %u.%u after it was revoked: %d",
			    path_names[v->kind], v->buffer->index, v->gen, ret);
		else
			did(a, DID_SIGBUS);
	}
	munmap(v->addr, v->len);
	did(a, DID_MUNMAP);
}

/* Takes away some pages; what is left is before or behind them. */
static bool view_unmap_part(struct actor *a, struct view *v)
{
	uint64_t pages = v->len / PAGE, first, n;

	if (pages < 3)
		return false;
	first = rnd(a, pages);
	n = 1 + rnd(a, pages - first < 600 ? pages - first : 600);
	if (n == pages)
		n--;
	if (munmap(v->addr + first * PAGE, n * PAGE)) {
		bad(BAD_ERROR, "munmap of a part: %s", strerror(errno));
		return true;
	}
	if (first >= pages - first - n) {
		munmap(v->addr + (first + n) * PAGE, (pages - first - n) * PAGE);
		v->len = first * PAGE;
	} else {
		munmap(v->addr, first * PAGE);
		v->addr += (first + n) * PAGE;
		v->offset += (first + n) * PAGE;
		v->len = (pages - first - n) * PAGE;
	}
	did(a, DID_UNMAP_PART);
	return true;
}

/* With its entries, to where they fit or do not. */
static void view_move(struct actor *a, struct view *v)
{
	uint64_t misalign = one_in(a, 2) ? 0 : misalignment(a, BY_MISALIGNED);
	char *end, *addr = place(v->len, misalign, &end);

	if (!addr)
		return;
	if (mremap(v->addr, v->len, v->len, MREMAP_MAYMOVE | MREMAP_FIXED, addr) ==
	    MAP_FAILED)
		bad(BAD_ERROR, "mremap: %s", strerror(errno));
	else
		v->addr = addr;
	munmap(addr + v->len, end - addr - v->len);
	did(a, DID_MREMAP);
}

/* Writing is a signal for a while; reading is not. */
static void view_protect(struct actor *a, struct view *v)
{
	uint64_t words[WORDS], *word = (uint64_t *)(v->addr + rnd(a, v->len / SLOT) * SLOT);
	int ret;

	if (mprotect(v->addr, v->len, PROT_READ)) {
		bad(BAD_ERROR, "mprotect: %s", strerror(errno));
		return;
	}
	ret = cpu_read(words, word);
	if (!ret)
		ret = cpu_write(word, words);
	if (ret != -EACCES && !(ret == -ENODEV && get(&v->buffer->revoking) >= v->gen))
		bad(BAD_ERROR, "writing where mprotect() forbids it: %d", ret);
	if (v->kind != BY_READONLY &&
	    mprotect(v->addr, v->len, PROT_READ | PROT_WRITE))
		bad(BAD_ERROR, "mprotect to write: %s", strerror(errno));
	did(a, DID_MPROTECT);
}

static void view_advise(struct actor *a, struct view *v)
{
	if (!madvise(v->addr, v->len, MADV_DONTNEED) || errno != EINVAL)
		bad(BAD_ERROR, "MADV_DONTNEED: %s", strerror(errno));
	if (madvise(v->addr, v->len, one_in(a, 2) ? MADV_NOHUGEPAGE : MADV_HUGEPAGE) &&
	    errno != EINVAL)
		bad(BAD_ERROR, "MADV_HUGEPAGE: %s", strerror(errno));
	did(a, DID_MADVISE);
}

/* Does something to a view of @thread, the caller. */
void view_change(struct actor *a, unsigned int thread)
{
	struct view *v = &views[thread][rnd(a, VIEWS)];
	unsigned int what = rnd(a, 10);

	if (v->closed) {
		step(a, "map");
		view_open(a, v);
		return;
	}
	step(a, "change a mapping");
	view_close(v);
	if (!buffer_is(v->buffer, v->gen) || what < 4) {
		view_unmap(a, v);
		return;
	}
	if (what < 6 && view_unmap_part(a, v))
		;
	else if (what < 8)
		view_move(a, v);
	else if (what < 9)
		view_protect(a, v);
	else
		view_advise(a, v);
	set(&v->closed, 0);
}
