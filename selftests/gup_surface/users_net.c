// SPDX-License-Identifier: GPL-2.0
/* Sockets: zero-copy sends, AF_XDP and RDS take pages, the rest copies. */
#include <errno.h>
#include <arpa/inet.h>
#include <linux/if_xdp.h>
#include <linux/rds.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gup_surface.h"

/* Less than any default socket buffer, so nobody waits for the other side. */
#define LEN (WINDOW / 2)

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_vm vm;
};

static socklen_t any_address(int family, union address *a)
{
	*a = (union address){};
	if (family == AF_VSOCK) {
		a->vm.svm_family = AF_VSOCK;
		a->vm.svm_cid = VMADDR_CID_LOCAL;
		a->vm.svm_port = VMADDR_PORT_ANY;
		return sizeof(a->vm);
	}
	a->in.sin_family = AF_INET;
	a->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return sizeof(a->in);
}

static int stream_pair(int family, int sk[2])
{
	int listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	union address a;
	socklen_t len = any_address(family, &a);

	sk[0] = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	sk[1] = -1;
	if (!bind(listener, &a.sa, len) && !listen(listener, 1) &&
	    !getsockname(listener, &a.sa, &len) && !connect(sk[0], &a.sa, len))
		sk[1] = accept(listener, NULL, NULL);
	close(listener);
	return sk[1] < 0 ? -1 : 0;
}

int tcp_pair(int sk[2])
{
	return stream_pair(AF_INET, sk);
}

static int udp_pair(int sk[2])
{
	union address a;
	socklen_t len = any_address(AF_INET, &a);

	sk[0] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	sk[1] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return bind(sk[1], &a.sa, len) || getsockname(sk[1], &a.sa, &len) ||
		connect(sk[0], &a.sa, len);
}

static struct result transmit(struct cell *c, int sk[2], int flags)
{
	void *copy = anon_buffer(LEN);
	int one = 1;
	ssize_t n;

	if (flags && setsockopt(sk[0], SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)))
		return skipped("no SO_ZEROCOPY: %s", strerrorname_np(errno));
	n = send(sk[0], c->map, LEN, flags);
	if (n < 0)
		return refused(errno);
	if (recv(sk[1], copy, LEN, MSG_WAITALL) != n || !pattern_window_ok(copy, n))
		return odd("wrong data");
	return flags ? taken() : works();
}

static struct result tcp_send(struct cell *c)
{
	int sk[2];

	if (tcp_pair(sk))
		return skipped("no loopback TCP");
	return transmit(c, sk, c->arg);
}

static struct result udp_send(struct cell *c)
{
	int sk[2];

	if (udp_pair(sk))
		return skipped("no loopback UDP");
	return transmit(c, sk, c->arg);
}

static struct result vsock_send(struct cell *c)
{
	int sk[2];

	if (load_module("vsock_loopback", NULL) || stream_pair(AF_VSOCK, sk))
		return skipped("no loopback vsock");
	return transmit(c, sk, c->arg);
}

static struct result tcp_recv(struct cell *c)
{
	void *data = anon_buffer(LEN);
	ssize_t n;
	int sk[2];

	inverse_fill(data, LEN);
	if (tcp_pair(sk) || send(sk[1], data, LEN, 0) != (ssize_t)LEN)
		return skipped("no loopback TCP");
	n = recv(sk[0], c->map, LEN, MSG_WAITALL);
	if (n < 0)
		return refused(errno);
	return inverse_ok(c->map, LEN) ? works() : odd("wrong data");
}

static struct result xdp_umem(struct cell *c)
{
	struct xdp_umem_reg reg = {
		.addr = (unsigned long)c->map,
		.len = WINDOW,
		.chunk_size = 4096,
	};
	int sk = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (sk < 0)
		return skipped("no AF_XDP");
	return setsockopt(sk, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)) ?
		refused(errno) : taken();
}

static int rds_socket(void)
{
	/* Debian does not let socket() load it. */
	load_module("rds", NULL);
	return socket(AF_RDS, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
}

/* An option whose value the kernel writes through pinned pages. */
static struct result rds_info(struct cell *c)
{
	socklen_t len = WINDOW;
	int sk = rds_socket();

	if (sk < 0)
		return skipped("no RDS");
	return getsockopt(sk, SOL_RDS, RDS_INFO_COUNTERS, c->map, &len) < 0 ?
		refused(errno) : taken();
}

/* Only its TCP transport has zero copy; the cookie comes back when it is done. */
static struct result rds_send(struct cell *c)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(4000),
	};
	char control[CMSG_SPACE(sizeof(__u32))] = {};
	struct iovec iov = { c->map, 8192 };
	struct msghdr msg = {
		.msg_name = &to,
		.msg_namelen = sizeof(to),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int one = 1, transport = RDS_TRANS_TCP;
	int sk = rds_socket();

	cmsg->cmsg_level = SOL_RDS;
	cmsg->cmsg_type = RDS_CMSG_ZCOPY_COOKIE;
	cmsg->cmsg_len = CMSG_LEN(sizeof(__u32));
	if (sk < 0 || load_module("rds_tcp", NULL))
		return skipped("no RDS over TCP");
	if (setsockopt(sk, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)) ||
	    setsockopt(sk, SOL_RDS, SO_RDS_TRANSPORT, &transport, sizeof(transport)) ||
	    bind(sk, (struct sockaddr *)&to, sizeof(to)))
		return skipped("RDS cannot bind: %s", strerrorname_np(errno));
	return sendmsg(sk, &msg, MSG_ZEROCOPY | MSG_DONTWAIT) < 0 ? refused(errno) : taken();
}

static const struct user users[] = {
	{ "TCP send", tcp_send, .expect = EXPECT_WORKS },
	{ "TCP recv", tcp_recv, .flags = USER_CHANGES_DATA, .expect = EXPECT_WORKS },
	{ "TCP MSG_ZEROCOPY", tcp_send, MSG_ZEROCOPY, .expect = EXPECT_REFUSED(EFAULT) },
	{ "UDP MSG_ZEROCOPY", udp_send, MSG_ZEROCOPY, .expect = EXPECT_REFUSED(EFAULT) },
	/* virtio_transport_alloc_skb() has NULL for every error. */
	{ "vsock MSG_ZEROCOPY", vsock_send, MSG_ZEROCOPY, .expect = EXPECT_REFUSED(ENOMEM) },
	{ "AF_XDP umem", xdp_umem, .expect = EXPECT_REFUSED(EFAULT) },
	/* 6.12 turns any failure to pin into EAGAIN; 7.3 passes the errno on. */
	{ "RDS info getsockopt", rds_info, .flags = USER_CHANGES_DATA, .expect = {
		{ .kind = REFUSED, .value = EAGAIN },
		{ .since = KVER(7, 3), .kind = REFUSED, .value = EFAULT },
	} },
	{ "RDS MSG_ZEROCOPY", rds_send, .expect = EXPECT_REFUSED(EFAULT) },
};

const struct family net_family = {
	.name = "sockets",
	.users = users,
	.nr = ARRAY_SIZE(users),
};
