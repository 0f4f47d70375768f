// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's cryptography: AF_ALG works on pages of the caller where it can,
 * and so does kTLS, which falls back to copying when it sends but not when it
 * receives.
 */
#include <errno.h>
#include <linux/if_alg.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gup_surface.h"

#define LEN 8192

static int alg_socket(const char *type, const char *name)
{
	struct sockaddr_alg sa = { .salg_family = AF_ALG };
	int sk = socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf((char *)sa.salg_type, sizeof(sa.salg_type), "%s", type);
	snprintf((char *)sa.salg_name, sizeof(sa.salg_name), "%s", name);
	if (sk < 0 || bind(sk, (struct sockaddr *)&sa, sizeof(sa)))
		return -1;
	return sk;
}

static bool digest(int op, const void *data, unsigned char out[32])
{
	return send(op, data, LEN, 0) == LEN && recv(op, out, 32, 0) == 32;
}

static struct result alg_hash(struct cell *c)
{
	unsigned char want[32], got[32];
	void *copy = anon_buffer(LEN);
	int sk, op;

	load_module("algif_hash", NULL);
	sk = alg_socket("hash", "sha256");
	op = accept(sk, NULL, NULL);
	memcpy(copy, c->map, LEN);
	if (op < 0 || !digest(op, copy, want))
		return skipped("no AF_ALG sha256");
	if (!digest(op, c->map, got))
		return refused(errno);
	return memcmp(want, got, sizeof(got)) ? odd("wrong data") : taken();
}

/* The plain text is copied in; the cipher text is written to the pages. */
static struct result alg_cipher(struct cell *c)
{
	static const unsigned char key[16];
	char control[CMSG_SPACE(sizeof(int))] = {};
	void *text = anon_buffer(LEN);
	struct iovec iov = { text, LEN };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int operation = ALG_OP_ENCRYPT;
	int sk, op;

	load_module("algif_skcipher", NULL);
	sk = alg_socket("skcipher", "ecb(aes)");
	if (sk < 0 || setsockopt(sk, SOL_ALG, ALG_SET_KEY, key, sizeof(key)))
		return skipped("no AF_ALG ecb(aes)");
	op = accept(sk, NULL, NULL);
	cmsg->cmsg_level = SOL_ALG;
	cmsg->cmsg_type = ALG_SET_OP;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &operation, sizeof(int));
	if (sendmsg(op, &msg, 0) != LEN)
		return skipped("AF_ALG takes no plain text");
	return recv(op, c->map, LEN, 0) < 0 ? refused(errno) : taken();
}

/* One direction of a connection, with all-zero keys. */
static int tls_pair(int sk[2])
{
	struct tls12_crypto_info_aes_gcm_128 info = {
		.info.version = TLS_1_2_VERSION,
		.info.cipher_type = TLS_CIPHER_AES_GCM_128,
	};

	load_module("tls", NULL);
	return tcp_pair(sk) ||
		setsockopt(sk[0], IPPROTO_TCP, TCP_ULP, "tls", 4) ||
		setsockopt(sk[1], IPPROTO_TCP, TCP_ULP, "tls", 4) ||
		setsockopt(sk[0], SOL_TLS, TLS_TX, &info, sizeof(info)) ||
		setsockopt(sk[1], SOL_TLS, TLS_RX, &info, sizeof(info));
}

static struct result tls_send(struct cell *c)
{
	void *copy = anon_buffer(LEN);
	int sk[2];

	if (tls_pair(sk))
		return skipped("no kTLS");
	if (send(sk[0], c->map, LEN, 0) != LEN)
		return refused(errno);
	if (recv(sk[1], copy, LEN, MSG_WAITALL) != LEN || !pattern_window_ok(copy, LEN))
		return odd("wrong data");
	return works();
}

static struct result tls_recv(struct cell *c)
{
	void *data = anon_buffer(LEN);
	int sk[2];

	inverse_fill(data, LEN);
	if (tls_pair(sk) || send(sk[0], data, LEN, 0) != LEN)
		return skipped("no kTLS");
	if (recv(sk[1], c->map, LEN, MSG_WAITALL) != LEN)
		return refused(errno);
	return inverse_ok(c->map, LEN) ? taken() : odd("wrong data");
}

static const struct user users[] = {
	{ "AF_ALG hash", alg_hash, .expect = EXPECT_REFUSED(EFAULT) },
	{ "AF_ALG skcipher output", alg_cipher, .flags = USER_CHANGES_DATA,
	  .expect = EXPECT_REFUSED(EFAULT) },
	{ "kTLS send", tls_send, .expect = EXPECT_WORKS },
	{ "kTLS recv", tls_recv, .flags = USER_CHANGES_DATA, .expect = EXPECT_REFUSED(EFAULT) },
};

const struct family crypto_family = {
	.name = "crypto",
	.users = users,
	.nr = ARRAY_SIZE(users),
};
