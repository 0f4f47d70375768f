// SPDX-License-Identifier: GPL-2.0
/*
 * A real DMA engine whose buffer is pinned, because nobody can tell it to let go or
 * because it asked for that: moves wait, and who is told all the same has lost it.
 */
#include "edu_move.h"
#include "harness.h"

FIXTURE(fixed) {
	int edu;
	int et;
	struct buffer b;
	struct edu_attach how;
};

FIXTURE_VARIANT(fixed) {
	unsigned int mode;
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(fixed, static) { EDU_STATIC };
FIXTURE_VARIANT_ADD(fixed, pinned) { EDU_LIBRARY, EDU_PIN };
FIXTURE_VARIANT_ADD(fixed, pinned_p2p) { EDU_LIBRARY, EDU_PIN | EDU_P2P };

FIXTURE_SETUP(fixed)
{
	self->edu = edu_open();
	if (self->edu < 0 && errno == ENOENT)
		SKIP(return, "no edu device in this machine");
	ASSERT_GE(self->edu, 0);
	self->et = et_open();
	ASSERT_GE(self->et, 0);
	ASSERT_EQ(0, buffer_alloc(self->et, &self->b, ET_PAGES, 1));
	self->how = attach(self->edu, self->b.fd, variant->mode, variant->flags, BIDIRECTIONAL);
	ASSERT_NE(0, self->how.id);
	EXPECT_EQ(1, info(self->b.fd).pins);
}

FIXTURE_TEARDOWN(fixed)
{
	if (self->edu < 0)
		return;
	buffer_free(self->et, &self->b);
	close(self->edu);
	close(self->et);
}

/* A static importer cannot be told: it is a pin, as that of one who asked for it. */
TEST_F(fixed, move)
{
	struct et_move m = to(&self->b, ET_PAGES, WAIT, ET_FOREVER);
	struct caller caller;

	memset(self->b.map, 0x41, 64);
	EXPECT_EQ(-ETIMEDOUT, move(self->et, &self->b, ET_PAGES, WAIT, 50));
	EXPECT_EQ(-EBUSY, move(self->et, &self->b, ET_PAGES, BLOCK, ET_FOREVER));
	EXPECT_EQ(self->how.addr, query(self->edu, self->how.id, 0).addr);
	EXPECT_EQ(0, copy(self->edu, self->how.id, 0, self->how.id, 64, 64, 0));
	EXPECT_EQ(0x41, peek(self->b.map + 64));
	call_asleep(&caller, self->et, ET_MOVE, (uintptr_t)&m);
	EXPECT_TRUE(call_pending(&caller));
	EXPECT_EQ(0, ioctl(self->edu, EDU_DETACH, self->how.id));
	EXPECT_EQ(0, call_end(&caller));
	EXPECT_EQ(0x41, peek(self->b.map + 64));
}

/*
 * Unless it is told that the buffer moves, which a kernel does since 7.0: then it has
 * lost that for good, however well the buffer is.
 */
TEST_F(fixed, move_revokes)
{
	struct et_move m = to(&self->b, ET_PAGES, REVOKE, ET_FOREVER);
	struct caller caller;

	memset(self->b.map, 0x42, 64);
	if (variant->mode == EDU_STATIC || !kernel_since(7, 0)) {
		EXPECT_EQ(-EBUSY, move(self->et, &self->b, ET_PAGES, REVOKE, ET_FOREVER));
		EXPECT_EQ(0, copy(self->edu, self->how.id, 0, self->how.id, 64, 64, 0));
		return;
	}
	ASSERT_EQ(0, ioctl(self->edu, EDU_HOLD));
	ASSERT_EQ(0, copy(self->edu, self->how.id, 0, self->how.id, 64, 64, EDU_ASYNC));
	call_asleep(&caller, self->et, ET_MOVE, (uintptr_t)&m);
	EXPECT_TRUE(call_pending(&caller));
	ASSERT_EQ(0, ioctl(self->edu, EDU_GO));
	EXPECT_EQ(0, call_end(&caller));
	EXPECT_EQ(0x42, peek(self->b.map + 64));
	EXPECT_EQ(0, info(self->b.fd).pins);
	EXPECT_EQ(-1, copy(self->edu, self->how.id, 0, self->how.id, 64, 64, 0));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(0, mapped(self->b.fd));
	EXPECT_NE(0, attach(self->edu, self->b.fd, variant->mode, variant->flags, 0).id);
}

/* It keeps what was revoked until it is done with it, unless it is told. */
TEST_F(fixed, revoke)
{
	struct et_move m = { .id = self->b.how.id, .timeout_ms = 50 };
	bool told = variant->mode != EDU_STATIC;
	struct et_stats before, after;

	ASSERT_EQ(0, ioctl(self->et, ET_STATS, &before));
	memset(self->b.map, 0x41, 64);
	if (told)
		m.timeout_ms = ET_FOREVER;
	EXPECT_EQ(told ? 0 : -ETIMEDOUT, ioctl(self->et, ET_REVOKE, &m) ? -errno : 0);
	EXPECT_EQ(told ? -ENODEV : 0,
		  copy(self->edu, self->how.id, 0, self->how.id, 64, 64, 0) ? -errno : 0);
	EXPECT_EQ(!told, info(self->b.fd).pins);
	ASSERT_EQ(0, ioctl(self->et, ET_STATS, &after));
	EXPECT_EQ(before.frees + told, after.frees);
	EXPECT_EQ(0, ioctl(self->edu, EDU_DETACH, self->how.id));
	m.timeout_ms = ET_FOREVER;
	EXPECT_EQ(0, ioctl(self->et, ET_REVOKE, &m));
	ASSERT_EQ(0, ioctl(self->et, ET_STATS, &after));
	EXPECT_EQ(before.frees + 1, after.frees);
	EXPECT_EQ(0, attach(self->edu, self->b.fd, variant->mode, variant->flags,
			    BIDIRECTIONAL).id);
	EXPECT_EQ(ENODEV, errno);
}

TEST_HARNESS_MAIN
