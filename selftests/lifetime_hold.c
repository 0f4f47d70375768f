// SPDX-License-Identifier: GPL-2.0
/*
 * lifetime_hold WHAT: makes a buffer, keeps nothing of it but WHAT, says
 * "ready", and lets go at the end of its input. For lifetime.sh.
 *
 * The nodes are closed meanwhile: an open node holds its module by itself.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>

#include <linux/dma-buf.h>

#include "util.h"

#define SIZE	(2 * PMD + 3 * PAGE)

static void check(int ok, const char *what)
{
	if (ok)
		return;
	printf("%s: %s\n", what, strerror(errno));
	exit(1);
}

/* Reads until the other end is closed. */
static void wait_for_end(void)
{
	char c;

	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
}

/* A buffer of the test exporter with nothing but its fd, or without one. */
static struct et_alloc alloc(int node, unsigned int flags)
{
	struct et_alloc a = { .size = SIZE, .kind = ET_PAGES, .flags = flags,
			      .fd_flags = O_RDWR | O_CLOEXEC };

	check(!ioctl(node, ET_ALLOC, &a), "ET_ALLOC");
	return a;
}

static int alloc_fd(void)
{
	int node = et_open();
	struct et_alloc a;

	check(node >= 0, "/dev/exporter_test");
	a = alloc(node, 0);
	check(!ioctl(node, ET_FREE, a.id), "ET_FREE");
	close(node);
	return a.fd;
}

static char *map(int fd, off_t offset)
{
	char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);

	check(p != MAP_FAILED, "mmap");
	memset(p, 0x5a, SIZE);
	return p;
}

static void unmap(char *p)
{
	check(p[0] == 0x5a && !memcmp(p, p + 1, SIZE - 1), "content");
	munmap(p, SIZE);
}

static void hold_fd(void)
{
	int fd = alloc_fd();

	wait_for_end();
	unmap(map(fd, 0));
	close(fd);
}

static void hold_mapping(void)
{
	int fd = alloc_fd();
	char *p = map(fd, 0);

	close(fd);
	wait_for_end();
	unmap(p);
}

/* A mapping of the node: no dma-buf there ever was. */
static void hold_node_mapping(void)
{
	int node = et_open();
	struct et_alloc a;
	char *p;

	check(node >= 0, "/dev/exporter_test");
	a = alloc(node, ET_NO_EXPORT);
	p = map(node, a.node_offset);
	check(!ioctl(node, ET_FREE, a.id), "ET_FREE");
	close(node);
	wait_for_end();
	unmap(p);
}

static void hold_attachment(void)
{
	struct et_import import = { .fd = alloc_fd() };
	int node = et_open();

	check(!ioctl(node, ET_IMPORT, &import), "ET_IMPORT");
	close(node);
	close(import.fd);
	wait_for_end();
	node = et_open();
	check(!ioctl(node, ET_UNIMPORT, import.id), "ET_UNIMPORT");
	close(node);
}

/* A fence outlives its buffer through a sync_file, signalled or not. */
static void hold_fence(void)
{
	struct dma_buf_export_sync_file sync = { .flags = DMA_BUF_SYNC_RW };
	int fd = alloc_fd(), node = et_open();

	check(!ioctl(node, ET_FENCE, fd), "ET_FENCE");
	check(!ioctl(fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &sync), "sync_file");
	close(node);
	close(fd);
	wait_for_end();
	node = et_open();
	check(!ioctl(node, ET_SIGNAL), "ET_SIGNAL");
	close(node);
	close(sync.fd);
}

static void hold_signalled_fence(void)
{
	struct dma_buf_export_sync_file sync = { .flags = DMA_BUF_SYNC_RW };
	int fd = alloc_fd(), node = et_open();

	check(!ioctl(node, ET_FENCE, fd), "ET_FENCE");
	check(!ioctl(fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &sync), "sync_file");
	check(!ioctl(node, ET_SIGNAL), "ET_SIGNAL");
	close(node);
	close(fd);
	wait_for_end();
	close(sync.fd);
}

static pid_t fault_tid;
static sigjmp_buf fault_jump;

static void on_segv(int sig)
{
	siglongjmp(fault_jump, 1);
}

/* NULL if the access failed. */
static void *fault_thread(void *addr)
{
	if (sigsetjmp(fault_jump, 1))
		return NULL;
	__atomic_store_n(&fault_tid, gettid(), __ATOMIC_SEQ_CST);
	poke(addr, 1);
	return addr;
}

/* A fault that sleeps, when everything else of the buffer is gone already. */
static void hold_fault(void)
{
	int node = et_open();
	pthread_t thread;
	struct et_alloc a;
	void *touched;
	char *p;

	check(node >= 0, "/dev/exporter_test");
	a = alloc(node, 0);
	p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, node, a.node_offset);
	check(p != MAP_FAILED, "mmap");
	check(!ioctl(node, ET_LOOSE_FENCE, a.fd), "ET_LOOSE_FENCE");
	check(!ioctl(node, ET_FREE, a.id), "ET_FREE");
	close(a.fd);

	signal(SIGSEGV, on_segv);
	check(!pthread_create(&thread, NULL, fault_thread, p), "pthread_create");
	while (!__atomic_load_n(&fault_tid, __ATOMIC_SEQ_CST))
		sched_yield();
	wait_asleep(getpid(), fault_tid);
	munmap(p, SIZE);
	close(node);
	check(live_buffers() == 1, "a buffer under the fault");
	wait_for_end();

	node = et_open();
	check(!ioctl(node, ET_SIGNAL), "ET_SIGNAL");
	close(node);
	pthread_join(thread, &touched);
	check(!touched, "SIGSEGV at what is not mapped");
}

static void hold_heap_mapping(void)
{
	int fd = pfnmap_alloc(SIZE);
	char *p;

	check(fd >= 0, "/dev/dma_heap/pfnmap");
	p = map(fd, 0);
	close(fd);
	wait_for_end();
	unmap(p);
}

static const struct {
	const char *what;
	void (*hold)(void);
} holds[] = {
	{ "fd", hold_fd },
	{ "mapping", hold_mapping },
	{ "node-mapping", hold_node_mapping },
	{ "attachment", hold_attachment },
	{ "fence", hold_fence },
	{ "signalled-fence", hold_signalled_fence },
	{ "fault", hold_fault },
	{ "heap-mapping", hold_heap_mapping },
};

int main(int argc, char **argv)
{
	for (int i = 0; argc == 2 && i < ARRAY_SIZE(holds); i++) {
		if (!strcmp(argv[1], holds[i].what)) {
			holds[i].hold();
			return 0;
		}
	}
	fprintf(stderr, "usage: lifetime_hold WHAT\n");
	return 2;
}
