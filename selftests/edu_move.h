/* SPDX-License-Identifier: GPL-2.0 */
/* Moves of the buffers that a DMA engine uses. */
#ifndef _SELFTESTS_EDU_MOVE_H
#define _SELFTESTS_EDU_MOVE_H

#include "edu.h"

enum { WAIT, REVOKE, BLOCK };

static inline struct et_move to(const struct buffer *b, unsigned int kind, unsigned int policy,
				unsigned int timeout_ms)
{
	return (struct et_move) {
		.id = b->how.id, .kind = kind, .caching = kind == ET_IO ? 2 : 0,
		.policy = policy, .timeout_ms = timeout_ms,
	};
}

static inline int move(int et, const struct buffer *b, unsigned int kind,
		       unsigned int policy, unsigned int timeout_ms)
{
	struct et_move m = to(b, kind, policy, timeout_ms);

	return ioctl(et, ET_MOVE, &m) ? -errno : 0;
}

#endif
