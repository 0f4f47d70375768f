// SPDX-License-Identifier: GPL-2.0
/*
 * A buffer of the heap in the hands of DRM drivers, through libdrm: imported,
 * exported again, closed in every order; and a read-only one, which none of
 * them may make writable.
 */
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <drm/vgem_drm.h>
#include <xf86drm.h>

#include "util.h"
#include "harness.h"

#define SIZE	(2 * PMD + 3 * PAGE)
#define TRACING	"/sys/kernel/tracing"
#define EVENT	TRACING "/events/dma_buf_exporter/dma_buf_exporter_map/enable"

/* The node of a driver, or -1. */
static int open_driver(const char *name)
{
	for (int i = 0; i < 16; i++) {
		char path[32];
		drmVersionPtr version;
		bool found;
		int fd;

		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		version = drmGetVersion(fd);
		found = version && !strcmp(version->name, name);
		drmFreeVersion(version);
		if (found)
			return fd;
		close(fd);
	}
	return -1;
}

static char *map(int fd, int prot)
{
	return mmap(NULL, SIZE, prot, MAP_SHARED, fd, 0);
}

/* 0 or -errno, as all that follow. */
static int import(int drm, int fd, __u32 *handle)
{
	return drmPrimeFDToHandle(drm, fd, handle) ? -errno : 0;
}

static int export(int drm, __u32 handle, __u32 flags)
{
	int fd;

	return drmPrimeHandleToFD(drm, handle, flags, &fd) ? -errno : fd;
}

/* Where the node maps a handle, if the driver lets imports be mapped. */
static int node_offset(int drm, __u32 handle, off_t *offset)
{
	struct drm_mode_map_dumb arg = { .handle = handle };
	int ret = drmIoctl(drm, DRM_IOCTL_MODE_MAP_DUMB, &arg);

	*offset = arg.offset;
	return ret ? -errno : 0;
}

/* Attachments of the first buffer in the live table, -1 without a buffer. */
static int attachments(void)
{
	FILE *f = fopen("/sys/kernel/debug/dma_buf_exporter/buffers", "re");
	int n = -1;

	if (f && fscanf(f, "%*[^\n] %*s %*s %*s %*s %*s %*s %*s %*s %d", &n) != 1)
		n = -1;
	if (f)
		fclose(f);
	return n;
}

/* How many DMA mappings were made since tracing was begun. */
static int traced_maps(void)
{
	FILE *f = fopen(TRACING "/trace", "re");
	char line[512];
	int n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += !!strstr(line, " dma_buf_exporter_map: ");
	if (f)
		fclose(f);
	return n;
}

FIXTURE(prime) {
	int drm;
};

/* Takes the buffers of others, whoever that is. */
FIXTURE_SETUP(prime)
{
	self->drm = open_driver("vgem");
	if (self->drm < 0)
		SKIP(return, "no DRM driver vgem");
	ASSERT_EQ(0, live_buffers());
}

FIXTURE_TEARDOWN(prime)
{
	close(self->drm);
	EXPECT_EQ(0, live_buffers());
}

TEST_F(prime, import_and_export)
{
	__u32 handle, again;
	struct stat old, new;
	int fd, out;
	char *p, *q;

	fd = pfnmap_alloc(SIZE);
	ASSERT_GE(fd, 0);
	p = map(fd, PROT_READ | PROT_WRITE);
	ASSERT_NE(MAP_FAILED, p);
	for (size_t off = 0; off < SIZE; off += PAGE)
		*(size_t *)(p + off) = off;

	ASSERT_EQ(0, import(self->drm, fd, &handle));
	EXPECT_EQ(1, attachments());
	EXPECT_EQ(0, import(self->drm, fd, &again));
	EXPECT_EQ(handle, again);
	EXPECT_EQ(1, attachments());

	out = export(self->drm, handle, DRM_RDWR | DRM_CLOEXEC);
	ASSERT_GE(out, 0);
	EXPECT_EQ(0, fstat(fd, &old));
	EXPECT_EQ(0, fstat(out, &new));
	EXPECT_EQ(old.st_ino, new.st_ino);
	q = map(out, PROT_READ | PROT_WRITE);
	ASSERT_NE(MAP_FAILED, q);
	for (size_t off = 0; off < SIZE; off += PAGE) {
		ASSERT_EQ(off, *(size_t *)(q + off));
		*(size_t *)(q + off) = ~off;
		ASSERT_EQ(~off, *(size_t *)(p + off));
	}
	munmap(q, SIZE);
	close(out);
	munmap(p, SIZE);
	EXPECT_EQ(0, drmCloseBufferHandle(self->drm, handle));
	EXPECT_EQ(0, attachments());
	close(fd);
}

/* The node maps what the driver lets it: if an import, then the same memory. */
TEST_F(prime, mapped_through_node)
{
	int fd = pfnmap_alloc(SIZE), ret;
	off_t offset;
	__u32 handle;
	char *p, *q;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, import(self->drm, fd, &handle));
	ret = node_offset(self->drm, handle, &offset);
	if (ret) {
		TH_LOG("vgem maps no imports: %s", strerror(-ret));
	} else {
		p = map(fd, PROT_READ | PROT_WRITE);
		ASSERT_NE(MAP_FAILED, p);
		q = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, self->drm, offset);
		ASSERT_NE(MAP_FAILED, q);
		memset(p, 0x5a, SIZE);
		EXPECT_EQ(0, memcmp(p, q, SIZE));
		munmap(p, SIZE);
		munmap(q, SIZE);
	}
	drmCloseBufferHandle(self->drm, handle);
	close(fd);
}

/*
 * The heap's fd, the handle, the fd exported again and a mapping of it: in
 * whatever order they go, the buffer goes with the last.
 */
TEST_F(prime, every_close_order)
{
	for (int order = 0; order < 4 * 4 * 4 * 4; order++) {
		int fd, out, seen = 0;
		__u32 handle;
		char *p;

		for (int i = 0; i < 4; i++)
			seen |= 1 << (order >> 2 * i & 3);
		if (seen != 15)
			continue;	/* no permutation */

		fd = pfnmap_alloc(SIZE);
		ASSERT_GE(fd, 0);
		ASSERT_EQ(0, import(self->drm, fd, &handle));
		out = export(self->drm, handle, DRM_RDWR | DRM_CLOEXEC);
		ASSERT_GE(out, 0);
		p = map(out, PROT_READ | PROT_WRITE);
		ASSERT_NE(MAP_FAILED, p);
		p[SIZE - 1] = order;
		for (int i = 0; i < 4; i++) {
			ASSERT_EQ(1, live_buffers());
			switch (order >> 2 * i & 3) {
			case 0:
				close(fd);
				break;
			case 1:
				ASSERT_EQ(0, drmCloseBufferHandle(self->drm, handle));
				break;
			case 2:
				close(out);
				break;
			case 3:
				ASSERT_EQ((char)order, p[SIZE - 1]);
				munmap(p, SIZE);
				break;
			}
		}
		ASSERT_EQ(0, live_buffers()) {
			TH_LOG("order %x", order);
		}
	}
}

/* The node closed with the import in it, and a process killed with all of it. */
TEST_F(prime, exit_frees)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		int drm = open_driver("vgem"), fd = pfnmap_alloc(SIZE), out;
		__u32 handle;

		if (!import(drm, fd, &handle)) {
			out = export(drm, handle, DRM_RDWR | DRM_CLOEXEC);
			memset(map(out, PROT_READ | PROT_WRITE), 1, SIZE);
			raise(SIGKILL);
		}
		_exit(1);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGKILL, WTERMSIG(status));
	EXPECT_EQ(0, live_buffers());
}

TEST_F(prime, node_closed_first)
{
	int drm = open_driver("vgem"), fd = pfnmap_alloc(SIZE), out;
	__u32 handle;
	char *p;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, import(drm, fd, &handle));
	out = export(drm, handle, DRM_CLOEXEC);
	ASSERT_GE(out, 0);
	close(drm);
	EXPECT_EQ(0, attachments());
	p = map(out, PROT_READ | PROT_WRITE);
	ASSERT_NE(MAP_FAILED, p);
	memset(p, 1, SIZE);
	munmap(p, SIZE);
	close(out);
	close(fd);
}

/*
 * A fence of the importer's on our reservation object: it orders the users of
 * the content, who poll for it, and does not keep the CPU from the memory.
 */
TEST_F(prime, fence_of_importer)
{
	struct drm_vgem_fence_attach attach = { .flags = VGEM_FENCE_WRITE };
	struct drm_vgem_fence_signal signal = {};
	struct pollfd poll_in = { .events = POLLIN };
	int fd;
	char *p;

	fd = pfnmap_alloc(SIZE);
	ASSERT_GE(fd, 0);
	poll_in.fd = fd;
	ASSERT_EQ(0, import(self->drm, fd, &attach.handle));
	EXPECT_EQ(1, poll(&poll_in, 1, 0));
	ASSERT_EQ(0, drmIoctl(self->drm, DRM_IOCTL_VGEM_FENCE_ATTACH, &attach));
	EXPECT_EQ(0, poll(&poll_in, 1, 0));
	p = map(fd, PROT_READ | PROT_WRITE);
	ASSERT_NE(MAP_FAILED, p);
	memset(p, 1, SIZE);
	EXPECT_EQ(0, poll(&poll_in, 1, 0));
	signal.fence = attach.out_fence;
	ASSERT_EQ(0, drmIoctl(self->drm, DRM_IOCTL_VGEM_FENCE_SIGNAL, &signal));
	EXPECT_EQ(1, poll(&poll_in, 1, 0));

	/* The next one is pending when the buffer goes. */
	EXPECT_EQ(0, drmIoctl(self->drm, DRM_IOCTL_VGEM_FENCE_ATTACH, &attach));
	munmap(p, SIZE);
	close(fd);
	EXPECT_EQ(0, drmCloseBufferHandle(self->drm, attach.handle));
	EXPECT_EQ(0, live_buffers());
}

/* What every driver's import of a read-only buffer must leave true of its fd. */
static void check_read_only(struct __test_metadata *_metadata, int fd)
{
	char *p;

	EXPECT_EQ(O_RDONLY, fcntl(fd, F_GETFL) & O_ACCMODE);
	p = map(fd, PROT_READ | PROT_WRITE);
	EXPECT_EQ(MAP_FAILED, p);
	EXPECT_EQ(EACCES, errno);
	p = map(fd, PROT_WRITE);
	EXPECT_EQ(MAP_FAILED, p);
	EXPECT_EQ(EACCES, errno);
	p = map(fd, PROT_READ);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(-1, mprotect(p, SIZE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, mprotect(p + PMD, PAGE, PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	for (size_t off = 0; off < SIZE; off += PAGE)
		ASSERT_EQ(0, p[off]);
	munmap(p, SIZE);
}

/* A writable mapping of an import, through the node, which is read-write. */
static void check_node(struct __test_metadata *_metadata, int drm, __u32 handle)
{
	off_t offset;
	char *p;

	if (node_offset(drm, handle, &offset)) {
		TH_LOG("the driver maps no imports: %s", strerror(errno));
		return;
	}
	p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, drm, offset);
	EXPECT_EQ(MAP_FAILED, p);
	EXPECT_EQ(EACCES, errno);
	p = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, drm, offset);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(-1, mprotect(p, SIZE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	munmap(p, SIZE);
}

TEST(read_only_fd)
{
	int fd = heap_alloc("pfnmap", SIZE, O_RDONLY | O_CLOEXEC);

	ASSERT_GE(fd, 0);
	check_read_only(_metadata, fd);
	close(fd);
	EXPECT_EQ(0, live_buffers());
}

/* Does an import that succeeds map the buffer at once? -errno if it fails. */
static int maps_at_import(int drm)
{
	int fd = pfnmap_alloc(SIZE), ret;
	__u32 handle;

	if (write_file(TRACING "/trace", "") || write_file(EVENT, "1"))
		return -ENOENT;
	ret = import(drm, fd, &handle);
	if (!ret) {
		ret = traced_maps() > 0;
		drmCloseBufferHandle(drm, handle);
	}
	write_file(EVENT, "0");
	close(fd);
	return ret;
}

/*
 * PRIME maps for both directions: an import that maps is refused. One that does
 * not may succeed, and yields nothing to write with. Which of the two a driver
 * is, the import of a writable buffer tells.
 */
TEST_F(prime, read_only_import)
{
	int maps = maps_at_import(self->drm), fd, ret, out;
	__u32 handle;

	if (maps == -ENOENT)
		SKIP(return, "no tracefs at " TRACING);
	ASSERT_GE(maps, 0);
	fd = heap_alloc("pfnmap", SIZE, O_RDONLY | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	ret = import(self->drm, fd, &handle);
	TH_LOG("vgem maps %s, import of a read-only buffer: %s",
	       maps ? "at import" : "later", strerror(-ret));
	EXPECT_EQ(maps ? -EACCES : 0, ret);
	if (!ret) {
		check_node(_metadata, self->drm, handle);
		out = export(self->drm, handle, DRM_RDWR | DRM_CLOEXEC);
		if (out >= 0) {
			check_read_only(_metadata, out);
			close(out);
		}
		drmCloseBufferHandle(self->drm, handle);
	}
	EXPECT_EQ(0, attachments());
	check_read_only(_metadata, fd);
	close(fd);
}

/* Without blob resources it maps a foreign buffer first, and then refuses it. */
TEST(virtio_gpu)
{
	int drm = open_driver("virtio_gpu"), fd, ret;
	__u32 handle;

	if (drm < 0)
		SKIP(return, "no DRM driver virtio_gpu");
	fd = pfnmap_alloc(SIZE);
	ASSERT_GE(fd, 0);
	ret = import(drm, fd, &handle);
	TH_LOG("import into virtio_gpu: %s", strerror(-ret));
	EXPECT_TRUE(!ret || ret == -ENODEV);
	if (!ret)
		drmCloseBufferHandle(drm, handle);
	EXPECT_EQ(0, attachments());
	close(fd);

	fd = heap_alloc("pfnmap", SIZE, O_RDONLY | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(-EACCES, import(drm, fd, &handle));
	EXPECT_EQ(0, attachments());
	check_read_only(_metadata, fd);
	close(fd);
	close(drm);
	EXPECT_EQ(0, live_buffers());
}

TEST_HARNESS_MAIN
