// SPDX-License-Identifier: GPL-2.0
/* The end: everything that was ever written, by a mapping and by DMA. */
#include "torture.h"

static void sweep_map(struct actor *a, struct buffer *b)
{
	uint64_t words[WORDS];
	struct claim c;
	int ret = 0;
	char *map;

	map = mmap(NULL, b->size, PROT_READ, MAP_SHARED, b->fd, 0);
	if (map == MAP_FAILED) {
		bad(BAD_ERROR, "mmap of buffer %u.%u in the end: %s", b->index, b->gen,
		    strerror(errno));
		return;
	}
	for (uint32_t slot = 0; !ret && slot < b->size / SLOT; slot++) {
		ret = cpu_read(words, (uint64_t *)(map + slot * SLOT));
		slot_peek(b, slot, &c);
		if (!ret && !slot_check(a, &c, words, BY_READONLY, "in the end"))
			break;
	}
	if (ret)
		bad(BAD_ERROR, "reading buffer %u.%u in the end: %d", b->index, b->gen, ret);
	munmap(map, b->size);
}

static void sweep_dma(struct actor *a, struct buffer *b)
{
	struct import *i = &a->own[0];
	uint64_t page[PAGE / sizeof(uint64_t)];
	struct claim c;
	int ret;

	ret = import_make(a, i, b, b->gen, ET_P2P, false);
	if (ret == -EOPNOTSUPP)
		return;		/* it has said so if that is wrong */
	if (ret) {
		bad(BAD_ERROR, "import of buffer %u.%u in the end: %s", b->index, b->gen,
		    strerror(-ret));
		return;
	}
	for (uint32_t slot = 0; slot < b->size / SLOT; slot++) {
		unsigned int n = slot % (PAGE / SLOT);

		ret = n ? 0 : dma(i, slot * SLOT, page, PAGE, false);
		if (ret) {
			bad(BAD_ERROR, "DMA from buffer %u.%u in the end: %s", b->index,
			    b->gen, strerror(-ret));
			break;
		}
		slot_peek(b, slot, &c);
		if (!slot_check(a, &c, page + n * WORDS, BY_DMA, "in the end"))
			break;
	}
	import_drop(i);
}

void sweep(struct actor *a)
{
	for (unsigned int i = 0; i < w->nr_buffers; i++) {
		struct buffer *b = &w->buffers[i];

		step(a, "sweep");
		if (b->state != LIVE)
			continue;	/* there was no time to replace it */
		sweep_map(a, b);
		sweep_dma(a, b);
	}
}
