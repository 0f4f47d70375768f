// SPDX-License-Identifier: GPL-2.0
/*
 * UCX's transport layer over rc_verbs: memory registered by its dma-buf, and by the
 * address where that is mapped, and put and get between two of its endpoints.
 */
#include <uct/api/uct.h>

#include "harness.h"
#include "util.h"
#include "ucx.h"

#define LENGTH	(256 * PAGE)

struct piece {
	char *data;
	int fd;
	uct_mem_h memh;
	uct_rkey_bundle_t rkey;
};

FIXTURE(ucx) {
	uct_component_h component;
	ucs_async_context_t *async;
	uct_worker_h worker;
	uct_md_h md;
	uct_iface_h iface;
	uct_ep_h ep[2];
	struct piece a, b;
};

FIXTURE_VARIANT(ucx) {
	bool dmabuf;
};

FIXTURE_VARIANT_ADD(ucx, dmabuf) {
	.dmabuf = true,
};

FIXTURE_VARIANT_ADD(ucx, address) {
	.dmabuf = false,
};

static int open_md(uct_component_h *found, uct_md_h *md)
{
	uct_component_h *all;
	uct_md_config_t *config;
	unsigned int n, i;
	int ret = -1;

	if (uct_query_components(&all, &n))
		return -1;
	for (i = 0; i < n && ret; i++) {
		uct_md_resource_desc_t resource[16];
		uct_component_attr_t attr = { .field_mask = UCT_COMPONENT_ATTR_FIELD_NAME |
					      UCT_COMPONENT_ATTR_FIELD_MD_RESOURCE_COUNT };

		if (uct_component_query(all[i], &attr) || strcmp(attr.name, "ib") ||
		    !attr.md_resource_count || attr.md_resource_count > 16)
			continue;
		attr.field_mask = UCT_COMPONENT_ATTR_FIELD_MD_RESOURCES;
		attr.md_resources = resource;
		if (uct_component_query(all[i], &attr) ||
		    uct_md_config_read(all[i], NULL, NULL, &config))
			continue;
		ret = uct_md_open(all[i], resource[0].md_name, config, md);
		uct_config_release(config);
		*found = all[i];
	}
	uct_release_component_list(all);
	return ret;
}

static int open_iface(uct_md_h md, uct_worker_h worker, uct_iface_h *iface)
{
	uct_iface_params_t params = {
		.field_mask = UCT_IFACE_PARAM_FIELD_OPEN_MODE | UCT_IFACE_PARAM_FIELD_DEVICE |
			      UCT_IFACE_PARAM_FIELD_RX_HEADROOM,
		.open_mode = UCT_IFACE_OPEN_MODE_DEVICE,
		.mode.device = { .tl_name = "rc_verbs", .dev_name = "rxe0:1" },
	};
	uct_iface_config_t *config;
	int ret = uct_md_iface_config_read(md, "rc_verbs", NULL, NULL, &config);

	if (ret)
		return ret;
	ret = uct_iface_open(md, worker, &params, config, iface);
	uct_config_release(config);
	if (!ret)
		uct_iface_progress_enable(*iface, UCT_PROGRESS_SEND | UCT_PROGRESS_RECV);
	return ret;
}

static int connect_both(uct_iface_h iface, uct_ep_h ep[2])
{
	uct_ep_params_t params = { .field_mask = UCT_EP_PARAM_FIELD_IFACE, .iface = iface };
	uct_iface_attr_t attr;
	char device[256], address[2][256];

	if (uct_iface_query(iface, &attr) || attr.device_addr_len > 256 ||
	    attr.ep_addr_len > 256)
		return -1;
	return uct_iface_get_device_address(iface, (void *)device) ?:
	       uct_ep_create(&params, &ep[0]) ?:
	       uct_ep_create(&params, &ep[1]) ?:
	       uct_ep_get_address(ep[0], (void *)address[0]) ?:
	       uct_ep_get_address(ep[1], (void *)address[1]) ?:
	       uct_ep_connect_to_ep(ep[0], (void *)device, (void *)address[1]) ?:
	       uct_ep_connect_to_ep(ep[1], (void *)device, (void *)address[0]);
}

static int registers(struct piece *p, uct_component_h component, uct_md_h md, bool dmabuf)
{
	struct reg_params params = { .mask = REG_FLAGS, .flags = UCT_MD_MEM_ACCESS_ALL };
	char packed[256];
	int ret;

	p->fd = pfnmap_alloc(LENGTH);
	if (p->fd < 0)
		return -1;
	p->data = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, p->fd, 0);
	if (p->data == MAP_FAILED)
		return -1;
	if (dmabuf) {
		params.mask |= REG_DMABUF_FD | REG_DMABUF_OFFSET;
		params.dmabuf_fd = p->fd;
	}
	ret = uct_md_mem_reg_v2(md, p->data, LENGTH, &params, &p->memh);
	return ret ?: uct_md_mkey_pack(md, p->memh, packed) ?:
	       uct_rkey_unpack(component, packed, &p->rkey);
}

FIXTURE_SETUP(ucx)
{
	ASSERT_EQ(0, ucs_async_context_create(UCS_ASYNC_MODE_THREAD_SPINLOCK, &self->async));
	ASSERT_EQ(0, uct_worker_create(self->async, UCS_THREAD_MODE_SINGLE, &self->worker));
	ASSERT_EQ(0, open_md(&self->component, &self->md));
	ASSERT_EQ(0, open_iface(self->md, self->worker, &self->iface));
	ASSERT_EQ(0, connect_both(self->iface, self->ep));
	ASSERT_EQ(0, registers(&self->a, self->component, self->md, variant->dmabuf));
	ASSERT_EQ(0, registers(&self->b, self->component, self->md, variant->dmabuf));
}

static void forget(struct piece *p, uct_component_h component, uct_md_h md)
{
	uct_rkey_release(component, &p->rkey);
	uct_md_mem_dereg(md, p->memh);
	munmap(p->data, LENGTH);
	close(p->fd);
}

FIXTURE_TEARDOWN(ucx)
{
	uct_ep_destroy(self->ep[0]);
	uct_ep_destroy(self->ep[1]);
	forget(&self->a, self->component, self->md);
	forget(&self->b, self->component, self->md);
	uct_iface_close(self->iface);
	uct_md_close(self->md);
	uct_worker_destroy(self->worker);
	ucs_async_context_destroy(self->async);
}

static void nothing(uct_completion_t *completion)
{
}

/* The whole of @a to or from the whole of @b; 0, or the status that it ended with. */
static int transfer(uct_worker_h worker, uct_ep_h ep, struct piece *a, struct piece *b,
		    bool get)
{
	uct_iov_t iov = { .buffer = a->data, .length = LENGTH, .memh = a->memh, .count = 1 };
	uct_completion_t c = { .func = nothing, .count = 1, .status = UCS_OK };
	ucs_status_t ret;

	do {
		ret = (get ? uct_ep_get_zcopy : uct_ep_put_zcopy)(ep, &iov, 1,
								  (uintptr_t)b->data,
								  b->rkey.rkey, &c);
		uct_worker_progress(worker);
	} while (ret == UCS_ERR_NO_RESOURCE);
	if (ret != UCS_INPROGRESS)
		return ret;
	while (c.count)
		uct_worker_progress(worker);
	return c.status;
}

TEST_F(ucx, put_and_get)
{
	struct piece *a = &self->a, *b = &self->b;

	for (size_t i = 0; i < LENGTH; i++)
		a->data[i] = i ^ i >> 8 ^ i >> 16;
	ASSERT_EQ(0, transfer(self->worker, self->ep[0], a, b, false));
	EXPECT_EQ(0, memcmp(a->data, b->data, LENGTH));
	memset(a->data, 0, LENGTH);
	ASSERT_EQ(0, transfer(self->worker, self->ep[0], a, b, true));
	EXPECT_EQ(0, memcmp(a->data, b->data, LENGTH));
	EXPECT_NE(0, a->data[1]);
}

TEST_HARNESS_MAIN
