// SPDX-License-Identifier: GPL-2.0
/* NUMA: where pages are, and moving them. */
#include <errno.h>
#include <numaif.h>

#include "gup_surface.h"

/*
 * A policy can be set; there is no page to move for its sake. Of all nodes, because
 * 6.12 does not see that a PMD is special, and says EIO where the frame is elsewhere.
 */
static struct result bind(struct cell *c)
{
	unsigned long nodes = 3;

	if (mbind(c->map, c->size, MPOL_BIND, &nodes, 64, c->arg))
		return refused(errno);
	return works();
}

/* With a list of nodes this moves, without one it only asks. */
static struct result move(struct cell *c)
{
	void *page[] = { c->map };
	int node[] = { 0 }, status[] = { -EBUSY };

	if (move_pages(0, 1, page, c->arg ? node : NULL, status, c->arg) < 0)
		return refused(errno);
	return status[0] < 0 ? refused(-status[0]) : taken();
}

static struct result node_of(struct cell *c)
{
	int node;

	if (get_mempolicy(&node, NULL, 0, c->map, MPOL_F_NODE | MPOL_F_ADDR))
		return refused(errno);
	return taken();
}

/*
 * move_pages() gives its errors by page: EFAULT where the area cannot be
 * migrated, ENOENT where there is no page to ask about.
 */
static const struct user users[] = {
	{ "mbind", bind, .expect = EXPECT_WORKS },
	{ "mbind MPOL_MF_MOVE | STRICT", bind, MPOL_MF_MOVE | MPOL_MF_STRICT,
	  .expect = EXPECT_WORKS },
	{ "move_pages", move, MPOL_MF_MOVE, .expect = EXPECT_REFUSED(EFAULT) },
	{ "move_pages, query", move, 0, .expect = EXPECT_REFUSED(ENOENT) },
	{ "get_mempolicy MPOL_F_NODE", node_of, .expect = EXPECT_REFUSED(EFAULT) },
};

const struct family numa_family = {
	.name = "NUMA",
	.users = users,
	.nr = ARRAY_SIZE(users),
};
