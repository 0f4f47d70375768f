// SPDX-License-Identifier: GPL-2.0
/* dmabufctl info: what a buffer is made of. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "dmabufctl.h"

static const struct {
	uint32_t bit;
	const char *name;
} states[] = {
	{ DMA_BUF_EXPORTER_READONLY, "readonly" },
	{ DMA_BUF_EXPORTER_REVOKED, "revoked" },
	{ DMA_BUF_EXPORTER_SUSPENDED, "suspended" },
	{ DMA_BUF_EXPORTER_COPYING, "copying" },
};

/* Of a control handle; 0 or an errno. */
int info_get(int fd, struct dma_buf_exporter_info *info)
{
	*info = (struct dma_buf_exporter_info) { .size = sizeof(*info) };
	return ioctl(fd, DMA_BUF_EXPORTER_INFO, info) ? errno : 0;
}

static void info_json(const struct dma_buf_exporter_info *info)
{
	json_number("buffer", info->id);
	json_string("exporter", info->exporter);
	json_number("length", info->length);
	json_string("placement", info->placement);
	json_open("state", '[');
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (info->state & states[i].bit)
			json_string(NULL, states[i].name);
	json_close(']');
	json_number("extents", info->extents);
	json_number("largest_extent", info->largest_extent);
	json_number("mappings", info->mappings);
	json_number("attachments", info->attachments);
	json_number("maps", info->maps);
	json_number("pins", info->pins);
	json_number("vmaps", info->vmaps);
	json_number("moves", info->moves);
	json_number("moves_failed", info->moves_failed);
	json_number("pmd_faults", info->pmd_faults);
	json_number("pte_faults", info->pte_faults);
}

/* In JSON the members of an object that the caller opened. */
void info_print(const struct dma_buf_exporter_info *info, const struct options *options)
{
	if (options->json) {
		info_json(info);
		return;
	}
	printf("buffer       %" PRIu64 " of %s", (uint64_t)info->id, info->exporter);
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (info->state & states[i].bit)
			printf(", %s", states[i].name);
	printf("\nlength       %" PRIu64 " bytes\n", (uint64_t)info->length);
	if (info->placement[0])
		printf("placement    %s, %u pieces, the largest of %" PRIu64 " bytes\n",
		       info->placement, info->extents, (uint64_t)info->largest_extent);
	else
		printf("placement    none\n");
	printf("mapped       %u times by processes, %u times by the kernel\n",
	       info->mappings, info->vmaps);
	printf("imported     by %u devices, %u DMA mappings, %u pins\n", info->attachments,
	       info->maps, info->pins);
	printf("moved        %" PRIu64 " times, %" PRIu64 " copies failed\n",
	       (uint64_t)info->moves, (uint64_t)info->moves_failed);
	printf("page faults  %" PRIu64 " large, %" PRIu64 " small\n",
	       (uint64_t)info->pmd_faults, (uint64_t)info->pte_faults);
}

static const char *why(int err)
{
	switch (err) {
	case EINVAL:
		return "neither a dma-buf nor a control handle";
	case EOPNOTSUPP:
		return "a dma-buf of an exporter that does not use the exporter library";
	default:
		return strerror(err);
	}
}

/* Of a dma-buf, or of a control handle. */
static int info_of(const struct target *target, struct dma_buf_exporter_info *info)
{
	int dev, ret;

	if (!info_get(target->fd, info))
		return STATUS_OK;
	dev = control_open();
	if (dev < 0)
		return STATUS_FAILED;
	*info = (struct dma_buf_exporter_info) { .size = sizeof(*info), .fd = target->fd };
	ret = ioctl(dev, DMA_BUF_EXPORTER_INFO, info) ?
	      fail("info %s: %s", target->name, why(errno)) : STATUS_OK;
	close(dev);
	return ret;
}

int cmd_info(const struct options *options, int argc, char **argv)
{
	struct dma_buf_exporter_info info;
	struct target target;
	int ret;

	if (argc != 1)
		return usage();
	ret = target_open(&target, argv[0]);
	if (ret)
		return ret;
	ret = info_of(&target, &info);
	if (!ret) {
		if (options->json)
			json_open(NULL, '{');
		info_print(&info, options);
		if (options->json)
			json_close('}');
	}
	target_close(&target);
	return ret;
}
