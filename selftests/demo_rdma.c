// SPDX-License-Identifier: GPL-2.0
/*
 * demo_rdma stock: what soft-RoCE as the kernel has it says to a dma-buf
 * demo_rdma: two buffers of our heap as memory regions. One is written to the other
 * by RDMA, and read back, while both move between places all the time.
 *
 * Run it with rdma/run.
 */
#include <pthread.h>
#include <sys/stat.h>

#include "control.h"
#include "heap.h"
#include "rdma.h"

#define SIZE		(64 * MIB)
#define MESSAGES	64
#define LEN		(SIZE / MESSAGES)
#define FLIGHT		4	/* messages on the way at a time */
#define MOVES		8	/* of each buffer, for each transfer at least */
#define COUNTERS	"/sys/class/infiniband/rxe0/ports/1/hw_counters/"
#define TRACE		"/sys/kernel/tracing/instances/demo_rdma"

static struct buffer {
	const char *name;
	const char *how;
	const char *places[2];
	struct controlled buf;
	uint64_t *map;
	struct region region;
	uint64_t moves;
	uint32_t pins;
} buffers[] = {
	{ "A", "ibv_reg_mr", { "carve", "system" } },
	{ "B", "ibv_reg_dmabuf_mr", { "vram", "system" } },
};

static struct rdma rdma;
static bool stop;

static void die(const char *what)
{
	fprintf(stderr, "demo_rdma: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void alloc(struct buffer *b)
{
	int control = control_open();

	errno = -control_alloc(control, "pfnmap", NULL, SIZE, &b->buf);
	if (errno)
		die("allocating from pfnmap");
	close(control);
	b->map = (uint64_t *)map(b->buf.fd, SIZE);
	if (b->map == MAP_FAILED)
		die("mmap");
}

static void info_of(struct buffer *b, struct dma_buf_exporter_info *info)
{
	errno = -control_info(b->buf.control, info);
	if (errno)
		die("DMA_BUF_EXPORTER_INFO");
}

/* No two words are the same: a page that is missing, old, or elsewhere is seen. */
static uint64_t word(uint64_t seed, size_t i)
{
	uint64_t x = seed + i * 0x9e3779b97f4a7c15ULL;

	x = (x ^ (x >> 31)) * 0xbf58476d1ce4e5b9ULL;
	return x ^ (x >> 29);
}

static uint64_t add(uint64_t sum, uint64_t word)
{
	return ((sum << 5 | sum >> 59) ^ word) * 0x100000001b3ULL;
}

static void fill(struct buffer *b, uint64_t seed)
{
	for (size_t i = 0; i < SIZE / 8; i++)
		b->map[i] = word(seed, i);
}

/* What is in the buffer, as this program sees it, beside what ought to be. */
static void check(const char *what, struct buffer *b, uint64_t seed)
{
	uint64_t sum = 0, want = 0;
	size_t wrong = 0, first = 0;

	for (size_t i = 0; i < SIZE / 8; i++) {
		uint64_t is = __atomic_load_n(&b->map[i], __ATOMIC_RELAXED);

		if (is != word(seed, i) && !wrong++)
			first = i;
		sum = add(sum, is);
		want = add(want, word(seed, i));
	}
	printf("  %-20s 64 MiB  checksum %016lx  %s\n", what, sum,
	       wrong || sum != want ? "WRONG" : "as it should be");
	if (wrong || sum != want) {
		fprintf(stderr, "demo_rdma: %zu words of buffer %s are wrong, the first at 0x%zx\n",
			wrong, b->name, first * 8);
		exit(1);
	}
}

static void *mover(void *arg)
{
	for (int i = 0; !__atomic_load_n(&stop, __ATOMIC_SEQ_CST); i++) {
		for (int j = 0; j < ARRAY_SIZE(buffers); j++) {
			struct buffer *b = &buffers[j];
			struct dma_buf_exporter_info info;

			errno = -control_move(b->buf.control, b->places[i % 2],
					      DMA_BUF_EXPORTER_WAIT, 0);
			if (errno)
				die(b->places[i % 2]);
			info_of(b, &info);
			if (info.pins > b->pins)
				b->pins = info.pins;
			__atomic_store_n(&b->moves, info.moves, __ATOMIC_SEQ_CST);
		}
		usleep(20000);
	}
	return NULL;
}

static uint64_t moves(void)
{
	uint64_t a = __atomic_load_n(&buffers[0].moves, __ATOMIC_SEQ_CST);
	uint64_t b = __atomic_load_n(&buffers[1].moves, __ATOMIC_SEQ_CST);

	return a < b ? a : b;
}

static void transfer(enum ibv_wr_opcode opcode)
{
	uint64_t start = moves();

	for (int i = 0; i < MESSAGES + FLIGHT; i++) {
		if (i >= FLIGHT) {
			enum ibv_wc_status status = rdma_wait_asleep(&rdma, 0);

			if (status != IBV_WC_SUCCESS) {
				fprintf(stderr, "demo_rdma: %s\n", ibv_wc_status_str(status));
				exit(1);
			}
		}
		if (i >= MESSAGES)
			continue;
		/* A machine that is quick at this does not get away without moves. */
		while (moves() < start + i * MOVES / MESSAGES)
			usleep(1000);
		errno = rdma_post(&rdma, opcode, &buffers[0].region, &buffers[1].region,
				  i * LEN, LEN);
		if (errno)
			die("posting");
	}
}

static void trace_on(void)
{
	rmdir(TRACE);
	if (mkdir(TRACE, 0700) ||
	    write_file(TRACE "/events/dma_buf_importer/dma_buf_importer_map/enable", "1"))
		die("tracing");
}

/* How often the kernel has mapped a buffer to reach it. */
static int mapped(uint64_t id)
{
	FILE *f = fopen(TRACE "/trace", "re");
	char line[512], key[64];
	int n = 0;

	snprintf(key, sizeof(key), ":%lu cpu ret=0", id);
	while (f && fgets(line, sizeof(line), f))
		n += !!strstr(line, key);
	if (f)
		fclose(f);
	return n;
}

/* True if there was a pin, or a buffer that was not mapped anew. */
static bool report(void)
{
	bool bad = false;

	printf("  buffer  registered by      moved between       moves  kernel mappings  pins\n");
	for (int i = 0; i < ARRAY_SIZE(buffers); i++) {
		struct buffer *b = &buffers[i];
		struct dma_buf_exporter_info info;
		char places[32];
		int n;

		info_of(b, &info);
		n = mapped(info.id);
		snprintf(places, sizeof(places), "%s, %s", b->places[1], b->places[0]);
		printf("  %-6s  %-17s  %-18s  %5lu  %15d  %4u\n", b->name, b->how, places,
		       (unsigned long)info.moves, n, b->pins);
		bad |= b->pins || n < 2;
	}
	printf("  requests that met a buffer on its way and were told to come back: %ld\n",
	       read_number(COUNTERS "send_rnr_err", NULL));
	return bad;
}

static const char *outcome(bool good)
{
	return good ? "works" : strerror(errno);
}

/* Neither way works, and with pages neither would be right. */
static int stock(void)
{
	struct buffer *b = &buffers[0];
	const char *va, *fd;

	alloc(b);
	va = outcome(region_of_memory(&rdma, &b->region, b->map, SIZE));
	fd = outcome(region_of_dmabuf(&rdma, &b->region, b->buf.fd, SIZE));
	printf("soft-RoCE as it is, and a dma-buf: ibv_reg_mr() of the mapping: %s; ", va);
	printf("ibv_reg_dmabuf_mr(): %s\n", fd);
	return 0;
}

int main(int argc, char **argv)
{
	struct buffer *a = &buffers[0], *b = &buffers[1];
	pthread_t thread;

	if (rdma_open(&rdma))
		die("rxe0");
	if (argc > 1)
		return stock();
	trace_on();
	alloc(a);
	alloc(b);
	if (!region_of_memory(&rdma, &a->region, a->map, SIZE))
		die("ibv_reg_mr");
	if (!region_of_dmabuf(&rdma, &b->region, b->buf.fd, SIZE))
		die("ibv_reg_dmabuf_mr");
	printf("and ours: two buffers, both registered, and moved all the time\n");

	pthread_create(&thread, NULL, mover, NULL);
	fill(a, 1);
	transfer(IBV_WR_RDMA_WRITE);
	check("RDMA WRITE, A to B", b, 1);
	fill(b, 2);
	transfer(IBV_WR_RDMA_READ);
	check("RDMA READ, B to A", a, 2);
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	pthread_join(thread, NULL);
	if (report()) {
		fprintf(stderr, "demo_rdma: a buffer was pinned, or not mapped after a move\n");
		return 1;
	}
	rmdir(TRACE);
	return 0;
}
