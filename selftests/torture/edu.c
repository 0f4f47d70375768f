// SPDX-License-Identifier: GPL-2.0
/*
 * DMA by a device that is none of ours, where the machine and the kernel have it.
 * It takes 100 ms for a transfer, so it is asked for few.
 */
#include "torture.h"

int edu = -1;

#if __has_include("edu_dma.h")
#include "edu_dma.h"

/* Attachments of a process end with its descriptor. */
void edu_open(void)
{
	edu = open("/dev/edu_dma", O_RDWR | O_CLOEXEC);
}

int edu_access(struct actor *a, struct buffer *b, uint32_t gen, uint64_t offset, void *data,
	       size_t len, bool write)
{
	struct edu_attach attach = {
		.fd = buffer_fd(b, gen, false),
		.mode = one_in(a, 2) ? EDU_DYNAMIC : EDU_LIBRARY, .flags = EDU_P2P,
	};
	struct edu_access access = {
		.offset = offset, .len = len, .user = (uintptr_t)data,
	};
	int ret;

	if (attach.fd < 0)
		return -ENODEV;
	if (ioctl(edu, EDU_ATTACH, &attach)) {
		ret = -errno;
		close(attach.fd);
		return ret;
	}
	access.id = attach.id;
	ret = ioctl(edu, write ? EDU_WRITE : EDU_READ, &access) ? -errno : 0;
	ioctl(edu, EDU_DETACH, attach.id);
	close(attach.fd);
	return ret;
}

#else

void edu_open(void)
{
}

int edu_access(struct actor *a, struct buffer *b, uint32_t gen, uint64_t offset, void *data,
	       size_t len, bool write)
{
	return -EOPNOTSUPP;
}

#endif

bool edu_there(void)
{
	return edu >= 0;
}
