// SPDX-License-Identifier: GPL-2.0
/*
 * Buffers that move while a real DMA engine uses them: a move waits for what the
 * device still does, no address of the old place works when it returns, and the
 * data is where the device looks for it next.
 */
#include "edu_move.h"
#include "harness.h"

/* A place to go to; there is one buffer at once where pages are not. */
static unsigned int elsewhere(unsigned int kind)
{
	return kind == ET_UNPAGED ? ET_PAGES : ET_UNPAGED;
}

FIXTURE(moved) {
	int edu;
	int et;
	struct buffer b;
	struct edu_attach how;
	struct edu_stats before;
};

FIXTURE_VARIANT(moved) {
	unsigned int kind;
	unsigned int mode;
};

FIXTURE_VARIANT_ADD(moved, pages) { ET_PAGES, EDU_DYNAMIC };
FIXTURE_VARIANT_ADD(moved, pages_late) { ET_PAGES, EDU_DYNAMIC_LATE };
FIXTURE_VARIANT_ADD(moved, unpaged) { ET_UNPAGED, EDU_DYNAMIC };
FIXTURE_VARIANT_ADD(moved, unpaged_late) { ET_UNPAGED, EDU_DYNAMIC_LATE };
FIXTURE_VARIANT_ADD(moved, bar) { ET_IO, EDU_DYNAMIC };
FIXTURE_VARIANT_ADD(moved, pages_library) { ET_PAGES, EDU_LIBRARY };
FIXTURE_VARIANT_ADD(moved, unpaged_library) { ET_UNPAGED, EDU_LIBRARY };
FIXTURE_VARIANT_ADD(moved, bar_library) { ET_IO, EDU_LIBRARY };

FIXTURE_SETUP(moved)
{
	int ret;

	self->edu = edu_open();
	if (self->edu < 0 && errno == ENOENT)
		SKIP(return, "no edu device in this machine");
	ASSERT_GE(self->edu, 0);
	self->et = et_open();
	ASSERT_GE(self->et, 0);
	self->before = edu_stats(self->edu);
	ret = buffer_alloc(self->et, &self->b, variant->kind, 0);
	if (ret == -ENODEV)
		SKIP(return, "no memory of this kind in this machine");
	ASSERT_EQ(0, ret);
	stay_on_cpu();
	self->how = attach(self->edu, self->b.fd, variant->mode, EDU_P2P, BIDIRECTIONAL);
	ASSERT_NE(0, self->how.id);
}

FIXTURE_TEARDOWN(moved)
{
	if (self->edu < 0)
		return;
	buffer_free(self->et, &self->b);
	EXPECT_TRUE(edu_left_nothing(self->edu, self->before));
	close(self->et);
}

/*
 * The memory that the buffer left belongs to another one, which the device must
 * not write. The address was used before, so the IOMMU has it in its cache.
 */
TEST_F(moved, stale_address)
{
	struct buffer next = {};
	struct faults faults;
	char data[64];

	if (!edu_translated())
		SKIP(return, "no IOMMU translates for the device");
	memset(data, 0x11, sizeof(data));
	ASSERT_EQ(0, edu_access(self->edu, EDU_LOAD, 0, 0, data, sizeof(data)));
	ASSERT_EQ(0, raw_dma(self->edu, self->how.addr, sizeof(data), true));
	ASSERT_EQ(0x11, peek(self->b.map));
	memset(data, 0x55, sizeof(data));
	ASSERT_EQ(0, edu_access(self->edu, EDU_LOAD, 0, 0, data, sizeof(data)));

	faults = faults_begin();
	ASSERT_EQ(0, move(self->et, &self->b, elsewhere(variant->kind), WAIT, ET_FOREVER));
	if (variant->kind != ET_PAGES)	/* those go to whoever asks first */
		ASSERT_EQ(0, buffer_alloc(self->et, &next, variant->kind, 0));
	ASSERT_EQ(0, raw_dma(self->edu, self->how.addr, sizeof(data), true));
	if (next.map)
		EXPECT_EQ(0, peek(next.map));
	EXPECT_EQ(0x11, peek(self->b.map));
	EXPECT_TRUE(faults_end(&faults, self->how.addr, true));
	EXPECT_EQ(0, mapped(self->b.fd));
	buffer_free(self->et, &next);
}

/* The same when the memory is taken away for good. */
TEST_F(moved, revoked)
{
	struct et_move m = { .id = self->b.how.id, .timeout_ms = ET_FOREVER };
	struct buffer next = {};
	struct faults faults;
	char data[64];

	memset(data, 0x11, sizeof(data));
	ASSERT_EQ(0, edu_access(self->edu, EDU_LOAD, 0, 0, data, sizeof(data)));
	ASSERT_EQ(0, raw_dma(self->edu, self->how.addr, sizeof(data), true));
	ASSERT_EQ(0x11, peek(self->b.map));
	memset(data, 0x55, sizeof(data));
	ASSERT_EQ(0, edu_access(self->edu, EDU_LOAD, 0, 0, data, sizeof(data)));

	faults = faults_begin();
	ASSERT_EQ(0, ioctl(self->et, ET_REVOKE, &m));
	if (variant->kind != ET_PAGES)
		ASSERT_EQ(0, buffer_alloc(self->et, &next, variant->kind, 0));
	if (edu_translated()) {
		ASSERT_EQ(0, raw_dma(self->edu, self->how.addr, sizeof(data), true));
		EXPECT_TRUE(faults_end(&faults, self->how.addr, true));
	}
	if (next.map)
		EXPECT_EQ(0, peek(next.map));
	EXPECT_EQ(-1, copy(self->edu, self->how.id, 0, self->how.id, 64, 64, 0));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(0, attach(self->edu, self->b.fd, variant->mode, EDU_P2P, 0).id);
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(0, ioctl(self->edu, EDU_DETACH, self->how.id));
	buffer_free(self->et, &next);
}

/* From place to place, with the device reading and writing at each. */
TEST_F(moved, content)
{
	static const unsigned int kinds[] = { ET_PAGES, ET_UNPAGED, ET_IO, ET_PAGES };
	unsigned int kind = variant->kind;
	char in[200], out[200];
	struct et_move m;
	int ret;

	fill(self->b.map + PAGE, 99, 8 * PAGE);
	for (int i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (kinds[i] == kind && kind != ET_PAGES)
			continue;
		fill(out, i, sizeof(out));
		ASSERT_EQ(0, edu_access(self->edu, EDU_WRITE, self->how.id,
					16 * PAGE - 100, out, sizeof(out)));
		m = to(&self->b, kinds[i], WAIT, ET_FOREVER);
		m.chunk = i & 1 ? 3 : 0;
		ret = ioctl(self->et, ET_MOVE, &m) ? -errno : 0;
		if (ret == -ENODEV)
			continue;
		ASSERT_EQ(0, ret);
		kind = kinds[i];
		EXPECT_EQ(0, mapped(self->b.fd));
		ASSERT_EQ(0, edu_access(self->edu, EDU_READ, self->how.id,
					16 * PAGE - 100, in, sizeof(in)));
		EXPECT_TRUE(filled(in, i, sizeof(in)));
		EXPECT_TRUE(filled(self->b.map + 16 * PAGE - 100, i, sizeof(in)));
		EXPECT_TRUE(filled(self->b.map + PAGE, 99, 8 * PAGE));
	}
}

/* A move waits for a job that has not begun, or does not begin itself. */
TEST_F(moved, waits_for_job)
{
	unsigned int kind = elsewhere(variant->kind);
	static const unsigned int usages[] = { 0, EDU_BOOKKEEP };
	struct et_move m = to(&self->b, kind, WAIT, ET_FOREVER);
	struct caller caller;

	memset(self->b.map, 0x21, 64);
	for (int i = 0; i < ARRAY_SIZE(usages); i++) {
		ASSERT_EQ(0, ioctl(self->edu, EDU_HOLD));
		ASSERT_EQ(0, copy(self->edu, self->how.id, 0, self->how.id, 64 + 64 * i, 64,
				  EDU_ASYNC | usages[i]));
		EXPECT_EQ(-EBUSY, move(self->et, &self->b, kind, BLOCK, ET_FOREVER));
		EXPECT_EQ(-ETIMEDOUT, move(self->et, &self->b, kind, WAIT, 50));
		call_asleep(&caller, self->et, ET_MOVE, (uintptr_t)&m);
		EXPECT_TRUE(call_pending(&caller));
		EXPECT_EQ(0, peek(self->b.map + 64 + 64 * i));
		ASSERT_EQ(0, ioctl(self->edu, EDU_GO));
		EXPECT_EQ(0, call_end(&caller));
		EXPECT_EQ(0x21, peek(self->b.map + 64 + 64 * i));
		EXPECT_EQ(0, mapped(self->b.fd));
		/* And back, for the next. */
		if (!i)
			ASSERT_EQ(0, move(self->et, &self->b, variant->kind, WAIT, ET_FOREVER));
	}
}

/* An importer that unmaps from a worker is waited for, one that did at once is not. */
TEST_F(moved, waits_for_unmap)
{
	unsigned int kind = elsewhere(variant->kind);
	struct et_move m = to(&self->b, kind, WAIT, ET_FOREVER);
	bool late = variant->mode == EDU_DYNAMIC_LATE;
	struct caller caller;

	ASSERT_EQ(0, ioctl(self->edu, EDU_HOLD));
	if (!late) {
		EXPECT_EQ(0, move(self->et, &self->b, kind, BLOCK, 0));
		return;
	}
	EXPECT_EQ(-EBUSY, move(self->et, &self->b, kind, BLOCK, 0));
	EXPECT_EQ(-ETIMEDOUT, move(self->et, &self->b, kind, WAIT, 50));
	call_asleep(&caller, self->et, ET_MOVE, (uintptr_t)&m);
	EXPECT_TRUE(call_pending(&caller));
	EXPECT_EQ(self->how.addr, query(self->edu, self->how.id, 0).addr);
	EXPECT_EQ(1, mapped(self->b.fd));
	ASSERT_EQ(0, ioctl(self->edu, EDU_GO));
	EXPECT_EQ(0, call_end(&caller));
	EXPECT_EQ(0, mapped(self->b.fd));
}

/*
 * A move that keeps the lock gives up on an importer that needs it to unmap. Once
 * the device is done that unmaps all the same.
 */
TEST_F(moved, keeps_lock)
{
	struct et_move m = to(&self->b, elsewhere(variant->kind), WAIT, ET_FOREVER);
	struct caller caller;

	m.flags = ET_MOVE_LOCKED;
	memset(self->b.map, 0x22, 64);
	ASSERT_EQ(0, ioctl(self->edu, EDU_HOLD));
	ASSERT_EQ(0, copy(self->edu, self->how.id, 0, self->how.id, 64, 64, EDU_ASYNC));
	call_asleep(&caller, self->et, ET_MOVE, (uintptr_t)&m);
	EXPECT_TRUE(call_pending(&caller));
	ASSERT_EQ(0, ioctl(self->edu, EDU_GO));
	EXPECT_EQ(-EBUSY, call_end(&caller));
	EXPECT_EQ(0x22, peek(self->b.map + 64));
	while (mapped(self->b.fd))
		sched_yield();
	EXPECT_EQ(0, copy(self->edu, self->how.id, 64, self->how.id, 128, 64, 0));
	EXPECT_EQ(0x22, peek(self->b.map + 128));
	EXPECT_EQ(1, mapped(self->b.fd));
}

/* A device that is busy ends what it does before the memory goes; the next job fails. */
TEST_F(moved, revoked_while_busy)
{
	struct et_move m = { .id = self->b.how.id, .timeout_ms = ET_FOREVER };
	struct edu_copy next = {
		.src = self->how.id, .dst = self->how.id, .src_offset = 64, .len = 64,
	};
	long interrupts = iommu_interrupts();
	struct caller revoker, job;
	char in[64];

	fill(self->b.map, 7, sizeof(in));
	ASSERT_EQ(0, ioctl(self->edu, EDU_HOLD));
	ASSERT_EQ(0, copy(self->edu, self->how.id, 0, self->how.id, 64, 64,
			  EDU_ASYNC | EDU_BOOKKEEP));
	call_asleep(&revoker, self->et, ET_REVOKE, (uintptr_t)&m);
	EXPECT_TRUE(call_pending(&revoker));
	EXPECT_EQ(1, mapped(self->b.fd));
	call_asleep(&job, self->edu, EDU_COPY, (uintptr_t)&next);
	EXPECT_TRUE(call_pending(&job));
	ASSERT_EQ(0, ioctl(self->edu, EDU_GO));
	EXPECT_EQ(-ENODEV, call_end(&job));
	EXPECT_EQ(0, call_end(&revoker));
	EXPECT_EQ(0, mapped(self->b.fd));
	ASSERT_EQ(0, edu_access(self->edu, EDU_STORE, 0, 0, in, sizeof(in)));
	EXPECT_TRUE(filled(in, 7, sizeof(in)));
	EXPECT_EQ(interrupts, iommu_interrupts());
}

/* A job waits for a copy that another device makes, and then sees its result. */
TEST_F(moved, waits_for_copy)
{
	unsigned int kind = elsewhere(variant->kind);
	struct et_move m = to(&self->b, kind, WAIT, ET_FOREVER);
	struct edu_access access;
	struct caller caller;
	char in[64];

	fill(self->b.map + 100, 5, sizeof(in));
	m.flags = ET_MOVE_ASYNC;
	ASSERT_EQ(0, ioctl(self->et, ET_MOVE, &m));
	EXPECT_EQ(0, mapped(self->b.fd));
	access = (struct edu_access) {
		.id = self->how.id, .offset = 100, .len = sizeof(in), .user = (uintptr_t)in,
	};
	call_asleep(&caller, self->edu, EDU_READ, (uintptr_t)&access);
	EXPECT_TRUE(call_pending(&caller));
	EXPECT_EQ(self->before.jobs, edu_stats(self->edu).jobs);
	if (variant->mode != EDU_LIBRARY)
		EXPECT_EQ(self->before.maps + 1, edu_stats(self->edu).maps);
	ASSERT_EQ(0, ioctl(self->et, ET_GO, 0));
	EXPECT_EQ(0, call_end(&caller));
	EXPECT_TRUE(filled(in, 5, sizeof(in)));
	EXPECT_EQ(1, mapped(self->b.fd));
}

/* No job while the memory is away, as before once it is back. */
TEST_F(moved, suspended)
{
	struct et_move m = {
		.id = self->b.how.id, .timeout_ms = ET_FOREVER, .flags = ET_REVOKE_SUSPEND,
	};

	memset(self->b.map, 0x31, 64);
	ASSERT_EQ(0, ioctl(self->et, ET_REVOKE, &m));
	EXPECT_EQ(0, mapped(self->b.fd));
	EXPECT_EQ(-1, copy(self->edu, self->how.id, 0, self->how.id, 64, 64, 0));
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_EQ(0, ioctl(self->et, ET_RESUME, self->b.how.id));
	EXPECT_EQ(0, copy(self->edu, self->how.id, 0, self->how.id, 64, 64, 0));
	EXPECT_EQ(0x31, peek(self->b.map + 64));
}

struct mover {
	pthread_t thread;
	int et;
	struct buffer *b;
	unsigned int kinds[2];
	int stop;
	int moves;
	int ret;
};

static void *mover_thread(void *data)
{
	struct mover *m = data;

	while (!m->ret && !__atomic_load_n(&m->stop, __ATOMIC_SEQ_CST)) {
		m->ret = move(m->et, m->b, m->kinds[m->moves & 1], WAIT, 15000);
		__atomic_fetch_add(&m->moves, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

/*
 * Jobs and moves at the same time: no write is lost, whichever comes first, and
 * a move gets through, if only when the jobs have ended.
 */
TEST_F(moved, race)
{
	struct mover m = {
		.et = self->et, .b = &self->b,
		.kinds = { elsewhere(variant->kind), variant->kind },
	};
	char in[64], out[64];

	ASSERT_EQ(0, pthread_create(&m.thread, NULL, mover_thread, &m));
	for (int i = 0; i < 4 || (i < 12 && __atomic_load_n(&m.moves, __ATOMIC_SEQ_CST) < 8);
	     i++) {
		fill(out, i, sizeof(out));
		EXPECT_EQ(0, edu_access(self->edu, EDU_WRITE, self->how.id, 8 * PAGE - 30 + i,
					out, sizeof(out)));
		EXPECT_EQ(0, edu_access(self->edu, EDU_READ, self->how.id, 8 * PAGE - 30 + i,
					in, sizeof(in)));
		EXPECT_TRUE(filled(in, i, sizeof(in)));
		EXPECT_TRUE(filled(self->b.map + 8 * PAGE - 30 + i, i, sizeof(in)));
	}
	__atomic_store_n(&m.stop, 1, __ATOMIC_SEQ_CST);
	pthread_join(m.thread, NULL);
	EXPECT_EQ(0, m.ret);
	TH_LOG("%d moves", m.moves);
}

TEST_HARNESS_MAIN
