// SPDX-License-Identifier: GPL-2.0
/*
 * Memory regions of soft-RoCE that are dma-bufs of ours, beside those of user memory.
 * Lines as those of bench.c. Run it with rdma/run.
 */
#include <pthread.h>

#include "bench.h"
#include "control.h"
#include "rdma.h"

#define MIB		(PMD / 2)
#define SMALL		64UL
#define MESSAGE		MIB
#define TRANSFER	(16 * MIB)
#define FLIGHT		4		/* messages on the way at a time */
#define ROUNDS		200		/* small messages a run */
#define MOVES		5		/* moves of each buffer a run */
#define MOVE_NS		100000000UL	/* between two of them */

enum memory_kind { BY_FD, BY_ADDRESS, PINNED, USER_MEMORY, KINDS };

static const char * const names[] = {
	[BY_FD] = "pfnmap",
	[BY_ADDRESS] = "pfnmap-address",
	[PINNED] = "pfnmap-pinned",
	[USER_MEMORY] = "user-memory",
};

/* Memory of one kind, and what it is registered as. */
struct memory {
	enum memory_kind kind;
	size_t size;
	struct controlled buf;
	char *map;
	struct region region;
};

static struct rdma rdma;
static int control;

static void die(const char *what)
{
	fprintf(stderr, "bench_rdma: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void memory_alloc(struct memory *m, enum memory_kind kind, size_t size)
{
	int fd = -1, flags = MAP_SHARED;

	*m = (struct memory) { .kind = kind, .size = size };
	if (kind == USER_MEMORY) {
		flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE;
	} else {
		errno = -control_alloc(control, "pfnmap", NULL, size, &m->buf);
		if (errno)
			die("allocating");
		fd = m->buf.fd;
	}
	m->map = mmap(reserve(size, 0), size, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0);
	if (m->map == MAP_FAILED)
		die("mmap");
}

static void memory_free(struct memory *m)
{
	munmap(m->map, m->size);
	if (m->kind != USER_MEMORY)
		control_free(&m->buf);
}

static uint64_t reg(struct memory *m)
{
	uint64_t start;
	bool good;

	write_file(RXE_PARAMETERS "dmabuf_pin", m->kind == PINNED ? "Y" : "N");
	start = now();
	if (m->kind == USER_MEMORY || m->kind == BY_ADDRESS)
		good = region_of_memory(&rdma, &m->region, m->map, m->size);
	else
		good = region_of_dmabuf(&rdma, &m->region, m->buf.fd, m->size);
	if (!good)
		die("registering");
	return now() - start;
}

static uint64_t dereg(struct memory *m)
{
	uint64_t start = now();

	if (ibv_dereg_mr(m->region.mr))
		die("deregistering");
	return now() - start;
}

static void check(enum ibv_wc_status status)
{
	if (status != IBV_WC_SUCCESS) {
		fprintf(stderr, "bench_rdma: %s\n", ibv_wc_status_str(status));
		exit(1);
	}
}

static void post(enum ibv_wr_opcode opcode, struct memory *local, struct memory *remote,
		 size_t offset, size_t len)
{
	errno = rdma_post(&rdma, opcode, &local->region, &remote->region, offset, len);
	if (errno)
		die("posting");
}

static uint64_t write_page(struct memory *from, struct memory *to)
{
	uint64_t start = now();

	post(IBV_WR_RDMA_WRITE, from, to, 0, PAGE);
	check(rdma_wait(&rdma, 0));
	return now() - start;
}

static void figures(const char *metric, size_t size, uint64_t v[KINDS][RUNS], const char *unit)
{
	for (int kind = 0; kind < KINDS; kind++)
		figure(metric, names[kind], size, median(v[kind]), unit);
}

/*
 * What registering costs, and what it leaves to the first who uses the memory: the same
 * buffer each time, which may be in many pieces.
 */
static void bench_register(size_t size)
{
	uint64_t unused[KINDS][RUNS], first[KINDS][RUNS], later[KINDS][RUNS], once[KINDS][RUNS];
	struct dma_buf_exporter_info info;
	struct memory m[KINDS], page;

	memory_alloc(&page, USER_MEMORY, PAGE);
	reg(&page);
	memory_alloc(&m[USER_MEMORY], USER_MEMORY, size);
	memory_alloc(&m[BY_FD], BY_FD, size);
	m[BY_ADDRESS] = m[BY_FD];
	m[BY_ADDRESS].kind = BY_ADDRESS;
	m[PINNED] = m[BY_FD];
	m[PINNED].kind = PINNED;
	for (int run = 0; run < RUNS; run++) {
		for (int kind = 0; kind < KINDS; kind++) {
			unused[kind][run] = reg(&m[kind]);
			unused[kind][run] += dereg(&m[kind]);
			once[kind][run] = reg(&m[kind]);
			first[kind][run] = write_page(&page, &m[kind]);
			later[kind][run] = write_page(&page, &m[kind]);
			once[kind][run] += first[kind][run] + dereg(&m[kind]);
		}
	}
	figures("mr-register", size, unused, "ns");
	figures("mr-first-write", size, first, "ns");
	figures("mr-later-write", size, later, "ns");
	figures("mr-register-write-once", size, once, "ns");
	if (!control_info(m[BY_FD].buf.control, &info))
		figure("mr-pieces", "pfnmap", size, info.extents, "pieces");
	memory_free(&m[BY_FD]);
	memory_free(&m[USER_MEMORY]);
	dereg(&page);
	memory_free(&page);
}

/* All of the memory once, in messages. */
static uint64_t transfer(enum ibv_wr_opcode opcode, struct memory *local,
			 struct memory *remote)
{
	uint64_t start = now();

	for (size_t off = 0; off < TRANSFER + FLIGHT * MESSAGE; off += MESSAGE) {
		if (off >= FLIGHT * MESSAGE)
			check(rdma_wait_asleep(&rdma, 0));
		if (off < TRANSFER)
			post(opcode, local, remote, off, MESSAGE);
	}
	return (now() - start) / (TRANSFER / MIB);
}

static void bench_bandwidth(const char *metric, enum ibv_wr_opcode opcode,
			    struct memory m[KINDS][2])
{
	uint64_t cost[KINDS][RUNS];

	for (int run = -1; run < RUNS; run++)
		for (int kind = 0; kind < KINDS; kind++) {
			uint64_t ns = transfer(opcode, &m[kind][0], &m[kind][1]);

			/* The first makes the mappings. */
			if (run >= 0)
				cost[kind][run] = ns;
		}
	figures(metric, TRANSFER, cost, "ns/MiB");
}

static uint64_t send_small(struct memory *from, struct memory *to)
{
	uint64_t start = now();

	for (int i = 0; i < ROUNDS; i++) {
		errno = rdma_post_recv(&rdma, &to->region, SMALL) ?:
			rdma_post(&rdma, IBV_WR_SEND, &from->region, NULL, 0, SMALL);
		if (errno)
			die("sending");
		check(rdma_wait(&rdma, 1));
		check(rdma_wait(&rdma, 0));
	}
	return (now() - start) / ROUNDS;
}

static uint64_t write_small(struct memory *from, struct memory *to)
{
	uint64_t start = now();

	for (int i = 0; i < ROUNDS; i++) {
		post(IBV_WR_RDMA_WRITE, from, to, 0, SMALL);
		check(rdma_wait(&rdma, 0));
	}
	return (now() - start) / ROUNDS;
}

static void bench_latency(const char *metric, uint64_t (*once)(struct memory *, struct memory *),
			  struct memory m[KINDS][2])
{
	uint64_t cost[KINDS][RUNS];

	for (int run = 0; run < RUNS; run++)
		for (int kind = 0; kind < KINDS; kind++)
			cost[kind][run] = once(&m[kind][0], &m[kind][1]);
	figures(metric, SMALL, cost, "ns");
}

static int moves;

/* Both buffers, at fixed times. */
static void *mover(void *arg)
{
	struct memory *m = arg;
	uint64_t next = now();

	while (__atomic_load_n(&moves, __ATOMIC_SEQ_CST) < MOVES) {
		uint64_t wait;

		next += MOVE_NS;
		wait = next > now() ? next - now() : 0;
		nanosleep(&(struct timespec) { 0, wait }, NULL);
		for (int i = 0; i < 2; i++) {
			errno = -control_move(m[i].buf.control, NULL, DMA_BUF_EXPORTER_WAIT, 0);
			if (errno)
				die("moving");
		}
		__atomic_add_fetch(&moves, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static uint64_t transfer_moving(enum ibv_wr_opcode opcode, struct memory *m,
				struct memory *moved)
{
	uint64_t sum = 0, n;
	pthread_t thread;

	__atomic_store_n(&moves, 0, __ATOMIC_SEQ_CST);
	pthread_create(&thread, NULL, mover, moved);
	for (n = 0; __atomic_load_n(&moves, __ATOMIC_SEQ_CST) < MOVES; n++)
		sum += transfer(opcode, &m[0], &m[1]);
	pthread_join(thread, NULL);
	return sum / n;
}

/*
 * Moving takes the processor from the traffic, whatever is moved: hence a comparison
 * with buffers that move and are nobody's. What is pinned does not move, and so user
 * memory that is registered does not.
 */
static void bench_moving(const char *metric, enum ibv_wr_opcode opcode, struct memory *m,
			 struct memory *others)
{
	uint64_t moving[RUNS], moving_others[RUNS], still[RUNS];

	for (int run = 0; run < RUNS; run++) {
		moving[run] = transfer_moving(opcode, m, m);
		moving_others[run] = transfer_moving(opcode, m, others);
		still[run] = transfer(opcode, &m[0], &m[1]);
	}
	figure(metric, "pfnmap", TRANSFER, median(moving), "ns/MiB");
	figure(metric, "others-moving", TRANSFER, median(moving_others), "ns/MiB");
	figure(metric, "not-moving", TRANSFER, median(still), "ns/MiB");
}

static void bench_traffic(void)
{
	struct memory m[KINDS][2], others[2];

	for (int kind = 0; kind < KINDS; kind++)
		for (int i = 0; i < 2; i++) {
			memory_alloc(&m[kind][i], kind, TRANSFER);
			touch(m[kind][i].map, TRANSFER);
			reg(&m[kind][i]);
		}
	bench_bandwidth("rdma-write", IBV_WR_RDMA_WRITE, m);
	bench_bandwidth("rdma-read", IBV_WR_RDMA_READ, m);
	bench_latency("rdma-send-latency", send_small, m);
	bench_latency("rdma-write-latency", write_small, m);
	for (int i = 0; i < 2; i++) {
		memory_alloc(&others[i], BY_FD, TRANSFER);
		touch(others[i].map, TRANSFER);
	}
	bench_moving("rdma-write-moving", IBV_WR_RDMA_WRITE, m[BY_FD], others);
	bench_moving("rdma-read-moving", IBV_WR_RDMA_READ, m[BY_FD], others);
	for (int i = 0; i < 2; i++)
		memory_free(&others[i]);
	for (int kind = 0; kind < KINDS; kind++)
		for (int i = 0; i < 2; i++) {
			dereg(&m[kind][i]);
			memory_free(&m[kind][i]);
		}
}

int main(void)
{
	control = control_open();
	if (control < 0)
		die("/dev/dma_buf_exporter");
	if (rdma_open(&rdma))
		die("rxe0");
	bench_register(MIB);
	bench_register(64 * MIB);
	bench_register(1024 * MIB);
	bench_traffic();
	rdma_close(&rdma);
	return 0;
}
