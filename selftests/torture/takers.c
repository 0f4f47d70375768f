// SPDX-License-Identifier: GPL-2.0
/*
 * Taking a buffer's memory away, for a while or for good, and other things that
 * are done to a buffer as a whole.
 */
#include <linux/dma-buf-exporter.h>

#include "torture.h"

/* At least that long between two, for the sake of those who use the buffers. */
#define REVOKE_NS	300000000ULL

void suspend_for_a_while(struct actor *a, struct buffer *b)
{
	struct et_move how = {
		.id = b->id, .flags = ET_REVOKE_SUSPEND, .timeout_ms = 20 + rnd(a, 100),
	};
	uint32_t free = 0;
	int ret;

	if (!__atomic_compare_exchange_n(&b->suspending, &free, 1, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST))
		return;
	step(a, "suspend");
	add(&b->suspends, 1);
	ret = ioctl(et, ET_REVOKE, &how) ? -errno : 0;
	if (!ret) {
		add(&b->closed[CLOSED_SUSPENDED], 1);
		did(a, DID_SUSPEND);
		nap(a, 5000);
		if (one_in(a, 3))
			move_exporter_test(a, b);
		add(&b->closed[CLOSED_SUSPENDED], 1);
		step(a, "resume");
		if (ioctl(et, ET_RESUME, b->id))
			bad(BAD_ERROR, "resume of buffer %u.%u: %s", b->index, b->gen,
			    strerror(errno));
	} else if (ret != -ETIMEDOUT &&
		   !(ret == -ENODEV && get(&b->revoking) >= b->gen)) {
		bad(BAD_ERROR, "suspend of buffer %u.%u: %s", b->index, b->gen,
		    strerror(-ret));
	}
	add(&b->resumes, 1);
	set(&b->suspending, 0);
}

static int revoke_call(struct buffer *b, unsigned int timeout_ms)
{
	struct dma_buf_exporter_revoke_args heap = {
		.size = sizeof(heap), .timeout_ms = timeout_ms,
	};
	struct et_move how = { .id = b->id, .timeout_ms = timeout_ms };
	int control, ret;

	if (!b->heap)
		return ioctl(et, ET_REVOKE, &how) ? -errno : 0;
	control = buffer_fd(b, b->gen, true);
	if (control < 0)
		return -EBADF;
	ret = ioctl(control, DMA_BUF_EXPORTER_REVOKE, &heap) ? -errno : 0;
	close(control);
	return ret;
}

/* For good, in the middle of everything; the keeper makes another one. */
void revoke_for_good(struct actor *a, struct buffer *b)
{
	uint64_t last = get(&w->last_revoke), now = now_ns();
	uint32_t before = get(&b->revoking);
	int ret;

	if (now - last < REVOKE_NS || before >= b->gen ||
	    !__atomic_compare_exchange_n(&w->last_revoke, &last, now, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return;
	step(a, "revoke");
	if (!__atomic_compare_exchange_n(&b->revoking, &before, b->gen, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return;
	ret = revoke_call(b, rnd(a, 50));
	/* Later: somebody still has the memory, but no mapping of user space has. */
	if (ret && ret != -ETIMEDOUT)
		bad(BAD_ERROR, "revoke of buffer %u.%u: %s", b->index, b->gen,
		    strerror(-ret));
	set(&b->revoked, b->gen);
	did(a, DID_REVOKED);
	nap(a, 5000);
	set(&b->state, REVOKED);
}

/* A kernel mapping that is in the way of moves. */
void vhold(struct actor *a, struct buffer *b)
{
	int fd = buffer_fd(b, b->gen, false);
	struct guard g;

	if (fd < 0)
		return;
	step(a, "vmap");
	guard_begin(b, b->gen, &g);
	vmap_begin(a, b);
	if (!ioctl(et, ET_VHOLD, fd)) {
		guard_reached(b, &g, "vmap");
		did(a, DID_VHOLD);
		nap(a, 3000);
		if (ioctl(et, ET_VDROP))
			bad(BAD_ERROR, "vunmap: %s", strerror(errno));
	} else if (errno != EBUSY && !guard_error(b, b->gen, &g, -errno)) {
		bad(BAD_ERROR, "vmap of buffer %u.%u: %s", b->index, b->gen,
		    strerror(errno));
	}
	vmap_end(a);
	close(fd);
}

/* A buffer that outlives its dma-buf, and moves without one. */
void export_again(struct actor *a)
{
	struct et_alloc how = { .size = PAGE, .fd_flags = O_RDWR | O_CLOEXEC };
	uint64_t words[WORDS], seen[WORDS], *map;
	struct et_move move = { .chunk = 1 };
	int fd = -1;

	step(a, "export again");
	if (ioctl(et, ET_ALLOC, &how)) {
		bad(BAD_ERROR, "ET_ALLOC: %s", strerror(errno));
		return;
	}
	for (unsigned int i = 0; i < WORDS; i++)
		words[i] = rand_r(&a->random);
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, how.fd, 0);
	if (map == MAP_FAILED || cpu_write(map, words))
		bad(BAD_ERROR, "a new buffer: %s", strerror(errno));
	munmap(map, PAGE);
	close(how.fd);
	move.id = how.id;
	if (ioctl(et, ET_MOVE, &move))
		bad(BAD_ERROR, "move of a buffer without dma-buf: %s", strerror(errno));
	/* A child of another thread may have the descriptor, until it is killed. */
	for (int tries = 0; tries < 10000; tries++) {
		fd = ioctl(et, ET_EXPORT, how.id);
		if (fd >= 0 || errno != EBUSY)
			break;
		usleep(1000);
	}
	if (fd < 0) {
		bad(BAD_ERROR, "ET_EXPORT: %s", strerror(errno));
		goto out;
	}
	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED || cpu_read(seen, map))
		bad(BAD_ERROR, "a buffer that was exported again: %s", strerror(errno));
	else if (memcmp(words, seen, sizeof(words)))
		bad(BAD_LOST, "a buffer has other content when it is exported again");
	munmap(map, PAGE);
	close(fd);
	did(a, DID_EXPORT_AGAIN);
out:
	ioctl(et, ET_FREE, how.id);
}

/* Has the library's importer, if there is one, the data of a buffer? */
static bool library_sees(int node, const uint64_t *words)
{
	uint64_t seen[WORDS];
	ssize_t n;

	if (node < 0)
		return true;
	do
		n = pread(node, seen, SLOT, 0);
	while (n < 0 && errno == EAGAIN);
	return n == SLOT && !memcmp(words, seen, SLOT);
}

/*
 * A buffer that nobody else knows, with a mapping and importers that unmap when they
 * are told to: none may be in the way of a move, and all find the data.
 */
void move_alone(struct actor *a)
{
	struct et_alloc how = { .size = 16 * PAGE, .fd_flags = O_RDWR | O_CLOEXEC };
	uint64_t words[WORDS], seen[WORDS] = { 0 }, *map;
	struct import i = { .et.dynamic = ET_P2P };
	struct et_move move = { .policy = BLOCK };
	int node = -1;

	step(a, "move a buffer of its own");
	if (ioctl(et, ET_ALLOC, &how)) {
		bad(BAD_ERROR, "ET_ALLOC: %s", strerror(errno));
		return;
	}
	for (unsigned int n = 0; n < WORDS; n++)
		words[n] = rand_r(&a->random);
	map = mmap(NULL, how.size, PROT_READ | PROT_WRITE, MAP_SHARED, how.fd, 0);
	i.et.fd = how.fd;
	move.id = how.id;
	if (w->library)
		node = library_open(how.fd);
	if (map == MAP_FAILED || cpu_write(map, words) || ioctl(et, ET_IMPORT, &i.et) ||
	    (w->library && node < 0)) {
		bad(BAD_ERROR, "a buffer of its own: %s", strerror(errno));
	} else if (ioctl(et, ET_MOVE, &move)) {
		bad(BAD_ERROR, "a move with nobody in the way: %s", strerror(errno));
	} else {
		if (dma(&i, 0, seen, SLOT, false) || memcmp(words, seen, SLOT))
			bad(BAD_LOST, "an importer does not find the data after a move");
		if (cpu_read(seen, map) || memcmp(words, seen, SLOT))
			bad(BAD_LOST, "a mapping does not find the data after a move");
		if (!library_sees(node, words))
			bad(BAD_LOST, "the importer library does not find the data after a move");
		did(a, DID_MOVE_ALONE);
	}
	if (map != MAP_FAILED)
		munmap(map, how.size);
	import_drop(&i);
	if (node >= 0)
		close(node);
	close(how.fd);
	ioctl(et, ET_FREE, how.id);
}
