// SPDX-License-Identifier: GPL-2.0
/* io_uring: buffers registered for good, direct I/O, and rings in user memory. */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/futex.h>
#include <unistd.h>

#include "gup_surface.h"

static const char *uring_setup(void)
{
	struct io_uring ring;
	int ret = io_uring_queue_init(4, &ring, 0);

	if (ret)
		return missing("no io_uring: %s", strerrorname_np(-ret));
	io_uring_queue_exit(&ring);
	return NULL;
}

/* Result of the one request that is prepared. */
static int complete(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	int ret = io_uring_submit_and_wait(ring, 1);

	if (ret < 0)
		return ret;
	ret = io_uring_wait_cqe(ring, &cqe);
	return ret ? ret : cqe->res;
}

static struct result register_buffer(struct io_uring *ring, struct cell *c)
{
	struct iovec iov = { c->map, WINDOW };
	int ret = io_uring_register_buffers(ring, &iov, 1);

	return ret ? refused(-ret) : taken();
}

static struct result do_register(struct cell *c)
{
	struct io_uring ring;

	io_uring_queue_init(4, &ring, 0);
	return register_buffer(&ring, c);
}

/* Into a slot of a table that was registered empty. */
static struct result do_update(struct cell *c)
{
	struct iovec iov = { c->map, WINDOW };
	struct io_uring ring;
	__u64 tag = 0;
	int ret;

	io_uring_queue_init(4, &ring, 0);
	if (io_uring_register_buffers_sparse(&ring, 1))
		return skipped("no sparse buffer tables");
	ret = io_uring_register_buffers_update_tag(&ring, 0, &iov, &tag, 1);
	return ret < 0 ? refused(-ret) : taken();
}

enum { FIXED = 0x1, DIRECT = 0x2 };

static struct result do_write(struct cell *c)
{
	int fd = scratch_file(c->arg & DIRECT ? O_DIRECT : 0);
	void *copy = anon_buffer(WINDOW);
	struct io_uring ring;
	struct result r;
	int ret;

	io_uring_queue_init(4, &ring, 0);
	if (c->arg & FIXED) {
		r = register_buffer(&ring, c);
		if (r.kind != TAKEN)
			return r;
		io_uring_prep_write_fixed(io_uring_get_sqe(&ring), fd, c->map, WINDOW, 0, 0);
	} else {
		io_uring_prep_write(io_uring_get_sqe(&ring), fd, c->map, WINDOW, 0);
	}
	ret = complete(&ring);
	if (ret < 0)
		return refused(-ret);
	if (ret != (int)WINDOW || pread(fd, copy, WINDOW, 0) != (ssize_t)WINDOW ||
	    !pattern_window_ok(copy, WINDOW))
		return odd("wrong data");
	return c->arg ? taken() : works();
}

static struct result do_read(struct cell *c)
{
	int fd = scratch_file(c->arg & DIRECT ? O_DIRECT : 0);
	void *data = anon_buffer(WINDOW);
	struct io_uring ring;
	struct result r;
	int ret;

	io_uring_queue_init(4, &ring, 0);
	inverse_fill(data, WINDOW);
	if (pwrite(fd, data, WINDOW, 0) != (ssize_t)WINDOW)
		return skipped("cannot write to %s", scratch_dir);
	if (c->arg & FIXED) {
		r = register_buffer(&ring, c);
		if (r.kind != TAKEN)
			return r;
		io_uring_prep_read_fixed(io_uring_get_sqe(&ring), fd, c->map, WINDOW, 0, 0);
	} else {
		io_uring_prep_read(io_uring_get_sqe(&ring), fd, c->map, WINDOW, 0);
	}
	ret = complete(&ring);
	if (ret < 0)
		return refused(-ret);
	if (ret != (int)WINDOW || !inverse_ok(c->map, WINDOW))
		return odd("wrong data");
	return c->arg ? taken() : works();
}

static struct result send_zc(struct cell *c)
{
	void *copy = anon_buffer(WINDOW);
	struct io_uring ring;
	int sk[2], ret;

	if (tcp_pair(sk))
		return skipped("no loopback TCP");
	io_uring_queue_init(4, &ring, 0);
	io_uring_prep_send_zc(io_uring_get_sqe(&ring), sk[0], c->map, WINDOW / 2, 0, 0);
	ret = complete(&ring);
	if (ret < 0)
		return refused(-ret);
	if (ret != (int)WINDOW / 2 || recv(sk[1], copy, ret, MSG_WAITALL) != ret ||
	    !pattern_window_ok(copy, ret))
		return odd("wrong data");
	return taken();
}

/* A ring of provided buffers that the application, not the kernel, allocates. */
static struct result pbuf_ring(struct cell *c)
{
	struct io_uring_buf_reg reg = {
		.ring_addr = (unsigned long)c->map,
		.ring_entries = 16,
		.bgid = 1,
	};
	struct io_uring ring;
	int ret;

	io_uring_queue_init(4, &ring, 0);
	ret = io_uring_register_buf_ring(&ring, &reg, 0);
	return ret ? refused(-ret) : taken();
}

/*
 * A ring is torn down some time after its descriptor is closed, and flags in
 * it are written even then. So it is put where only the first word of a page
 * is looked at.
 */
static struct result no_mmap(struct cell *c)
{
	struct io_uring_params p = { .flags = IORING_SETUP_NO_MMAP };
	int fd;

	p.cq_off.user_addr = (unsigned long)c->map + WINDOW;
	p.sq_off.user_addr = (unsigned long)c->map + WINDOW + 4096;
	fd = io_uring_setup(8, &p);
	if (fd < 0)
		return refused(-fd);
	close(fd);
	pattern_fill(c->map, c->size);
	return taken();
}

static int register_region(void *addr)
{
	struct io_uring_region_desc rd = {
		.user_addr = (unsigned long)addr,
		.size = 4096,
		.flags = IORING_MEM_REGION_TYPE_USER,
	};
	struct io_uring_mem_region_reg reg = { .region_uptr = (unsigned long)&rd };
	struct io_uring ring;

	io_uring_queue_init(4, &ring, 0);
	return io_uring_register_region(&ring, &reg);
}

static struct result mem_region(struct cell *c)
{
	int ret;

	if (register_region(anon_buffer(4096)))
		return skipped("no IORING_REGISTER_MEM_REGION");
	ret = register_region(c->map);
	return ret ? refused(-ret) : taken();
}

/* The value differs, so a wait that got its key fails with EAGAIN. */
static struct result futex_wait(struct cell *c)
{
	struct io_uring ring;
	int ret;

	io_uring_queue_init(4, &ring, 0);
	io_uring_prep_futex_wait(io_uring_get_sqe(&ring), (__u32 *)c->map,
				 ~*(__u32 *)c->map, FUTEX_BITSET_MATCH_ANY,
				 FUTEX2_SIZE_U32, 0);
	ret = complete(&ring);
	if (ret == -EINVAL)
		return skipped("no IORING_OP_FUTEX_WAIT");
	return ret == -EAGAIN ? taken() : refused(-ret);
}

static const struct user users[] = {
	{ "write", do_write, .expect = EXPECT_WORKS },
	{ "read", do_read, .flags = USER_CHANGES_DATA, .expect = EXPECT_WORKS },
	{ "O_DIRECT write", do_write, DIRECT, .expect = EXPECT_REFUSED(EFAULT) },
	{ "O_DIRECT read", do_read, DIRECT, USER_CHANGES_DATA, EXPECT_REFUSED(EFAULT) },
	{ "REGISTER_BUFFERS", do_register, .expect = EXPECT_REFUSED(EFAULT) },
	{ "REGISTER_BUFFERS_UPDATE", do_update, .expect = EXPECT_REFUSED(EFAULT) },
	{ "WRITE_FIXED", do_write, FIXED | DIRECT, .expect = EXPECT_REFUSED(EFAULT) },
	{ "READ_FIXED", do_read, FIXED | DIRECT, USER_CHANGES_DATA, EXPECT_REFUSED(EFAULT) },
	{ "SEND_ZC", send_zc, .expect = EXPECT_REFUSED(EFAULT) },
	{ "REGISTER_PBUF_RING", pbuf_ring, .flags = USER_CHANGES_DATA,
	  .expect = EXPECT_REFUSED(EFAULT) },
	{ "SETUP_NO_MMAP", no_mmap, .expect = EXPECT_REFUSED(EFAULT) },
	{ "REGISTER_MEM_REGION", mem_region, .flags = USER_CHANGES_DATA,
	  .expect = EXPECT_REFUSED(EFAULT) },
	{ "FUTEX_WAIT, shared", futex_wait, .expect = EXPECT_REFUSED(EFAULT) },
};

const struct family uring_family = {
	.name = "io_uring",
	.users = users,
	.nr = ARRAY_SIZE(users),
	.setup = uring_setup,
};
