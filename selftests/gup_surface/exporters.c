// SPDX-License-Identifier: GPL-2.0
/* The exporters under test, and those that need no more than memory. */
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-heap.h>
#include <linux/memfd.h>
#include <linux/udmabuf.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gup_surface.h"

#define NR_HUGEPAGES "/proc/sys/vm/nr_hugepages"
#define HUGE_PAGE ((size_t)2 << 20)

static struct exporter table[] = {
	{
		.name = "pfnmap",
		.ours = true,
		.open = heap_open,
		.arg = "/dev/dma_heap/pfnmap",
	}, {
		.name = "system",
		.open = heap_open,
		.arg = "/dev/dma_heap/system",
	}, {
		.name = "udmabuf",
		.open = udmabuf_open,
	}, {
		.name = "udmabuf-huge",
		.open = udmabuf_hugetlb_open,
		.close = udmabuf_hugetlb_close,
	}, {
		.name = "vgem",
		.open = drm_open,
		.arg = "vgem",
	}, {
		.name = "virtio-gpu",
		.open = drm_open,
		.arg = "virtio_gpu",
	}, {
		.name = "vivid-vmalloc",
		.open = vivid_open,
		.instance = VIVID_VMALLOC,
	}, {
		.name = "vivid-contig",
		.open = vivid_open,
		.instance = VIVID_CONTIG,
	},
};

struct exporter *const exporters[] = {
	&table[0], &table[1], &table[2], &table[3],
	&table[4], &table[5], &table[6], &table[7],
};

const unsigned int nr_exporters = ARRAY_SIZE(exporters);

const char *heap_open(struct exporter *e)
{
	struct dma_heap_allocation_data data = {
		.len = BUFFER_SIZE,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	int heap, ret;

	heap = open(e->arg, O_RDWR | O_CLOEXEC);
	if (heap < 0)
		return missing("no %s", e->arg);
	ret = ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data);
	close(heap);
	if (ret)
		return missing("%s cannot allocate: %s", e->arg, strerrorname_np(errno));
	e->fd = data.fd;
	e->size = BUFFER_SIZE;
	return NULL;
}

static const char *udmabuf_of(struct exporter *e, unsigned int memfd_flags)
{
	struct udmabuf_create create = {
		.flags = UDMABUF_FLAGS_CLOEXEC,
		.size = BUFFER_SIZE,
	};
	int dev, err;
	void *mem;

	load_module("udmabuf", NULL);
	dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	if (dev < 0)
		return "no /dev/udmabuf";
	create.memfd = memfd_create("gup_surface",
				    MFD_ALLOW_SEALING | MFD_CLOEXEC | memfd_flags);
	if (ftruncate(create.memfd, BUFFER_SIZE) ||
	    fcntl(create.memfd, F_ADD_SEALS, F_SEAL_SHRINK)) {
		close(dev);
		return "no memfd of this kind";
	}
	/*
	 * With memory already: what 6.12 allocates for udmabuf in a hugetlb memfd is
	 * not reserved, which CONFIG_DEBUG_VM takes for a bug.
	 */
	mem = mmap(NULL, BUFFER_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, create.memfd, 0);
	if (mem != MAP_FAILED) {
		memset(mem, 0, BUFFER_SIZE);
		munmap(mem, BUFFER_SIZE);
	}
	e->fd = ioctl(dev, UDMABUF_CREATE, &create);
	err = errno;
	close(dev);
	close(create.memfd);
	if (e->fd < 0)
		return missing("UDMABUF_CREATE: %s", strerrorname_np(err));
	e->size = BUFFER_SIZE;
	return NULL;
}

const char *udmabuf_open(struct exporter *e)
{
	return udmabuf_of(e, 0);
}

const char *udmabuf_hugetlb_open(struct exporter *e)
{
	const char *reason;
	char value[24];

	e->nr_hugepages = read_long(NR_HUGEPAGES);
	if (e->nr_hugepages < 0)
		return "no hugetlb";
	snprintf(value, sizeof(value), "%ld", e->nr_hugepages + (long)(BUFFER_SIZE / HUGE_PAGE));
	write_string(NR_HUGEPAGES, value);
	reason = udmabuf_of(e, MFD_HUGETLB | MFD_HUGE_2MB);
	if (reason)
		udmabuf_hugetlb_close(e);
	return reason;
}

void udmabuf_hugetlb_close(struct exporter *e)
{
	char value[24];

	snprintf(value, sizeof(value), "%ld", e->nr_hugepages);
	write_string(NR_HUGEPAGES, value);
}
