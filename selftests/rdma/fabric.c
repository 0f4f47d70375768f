// SPDX-License-Identifier: GPL-2.0
/*
 * libfabric on its verbs provider: memory regions of a dma-buf (FI_MR_DMABUF) and of its
 * mapped address, a connected pair of endpoints, and data both ways.
 */
#include <rdma/fabric.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_rma.h>

#include "harness.h"
#include "util.h"

#define ADDRESS	"10.7.7.1"
#define PORT	"7475"
#define LENGTH	(256 * PAGE)
#define LIMIT	30000	/* ms */

struct side {
	struct fid_eq *eq;
	struct fid_cq *cq;
	struct fid_ep *ep;
	struct fid_mr *mr;
	char *data;
	int fd;
};

FIXTURE(fabric) {
	struct fi_info *listening, *info;
	struct fid_fabric *fabric;
	struct fid_domain *domain;
	struct fid_pep *pep;
	struct fid_eq *eq;
	struct side a, b;
};

FIXTURE_VARIANT(fabric) {
	bool dmabuf;
};

FIXTURE_VARIANT_ADD(fabric, dmabuf) {
	.dmabuf = true,
};

FIXTURE_VARIANT_ADD(fabric, address) {
	.dmabuf = false,
};

static struct fi_info *hints(void)
{
	struct fi_info *h = fi_allocinfo();

	h->caps = FI_MSG | FI_RMA;
	h->ep_attr->type = FI_EP_MSG;
	h->domain_attr->mr_mode = FI_MR_LOCAL | FI_MR_ALLOCATED | FI_MR_PROV_KEY |
				  FI_MR_VIRT_ADDR;
	h->addr_format = FI_SOCKADDR_IN;
	h->fabric_attr->prov_name = strdup("verbs");
	return h;
}

static int find(uint64_t flags, struct fi_info **info)
{
	struct fi_info *h = hints();
	int ret = fi_getinfo(FI_VERSION(1, 20), ADDRESS, PORT, flags, h, info);

	fi_freeinfo(h);
	return ret;
}

static int open_side(struct side *s, struct fid_fabric *fabric, struct fid_domain *domain,
		     struct fi_info *info)
{
	struct fi_eq_attr eq = { .wait_obj = FI_WAIT_UNSPEC };
	struct fi_cq_attr cq = { .format = FI_CQ_FORMAT_CONTEXT, .wait_obj = FI_WAIT_UNSPEC };

	return fi_eq_open(fabric, &eq, &s->eq, NULL) ?:
	       fi_cq_open(domain, &cq, &s->cq, NULL) ?:
	       fi_endpoint(domain, info, &s->ep, NULL) ?:
	       fi_ep_bind(s->ep, &s->eq->fid, 0) ?:
	       fi_ep_bind(s->ep, &s->cq->fid, FI_SEND | FI_RECV) ?:
	       fi_enable(s->ep);
}

static int registers(struct side *s, struct fid_domain *domain, bool dmabuf)
{
	uint64_t access = FI_SEND | FI_RECV | FI_READ | FI_WRITE | FI_REMOTE_READ |
			  FI_REMOTE_WRITE;
	struct fi_mr_dmabuf buf;
	struct fi_mr_attr attr = { .iov_count = 1, .access = access, .iface = FI_HMEM_SYSTEM };

	s->fd = pfnmap_alloc(LENGTH);
	if (s->fd < 0)
		return -errno;
	s->data = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
	if (s->data == MAP_FAILED)
		return -errno;
	if (!dmabuf)
		return fi_mr_reg(domain, s->data, LENGTH, access, 0, 0, 0, &s->mr, NULL);
	buf = (struct fi_mr_dmabuf) { .fd = s->fd, .len = LENGTH, .base_addr = s->data };
	attr.dmabuf = &buf;
	return fi_mr_regattr(domain, &attr, FI_MR_DMABUF, &s->mr);
}

/*
 * Reads the event queues, both ends' and the listener's: a connection is made by whoever
 * reads them. 0 once there is a request, or both ends are connected.
 */
static int events(struct fid_eq *eqs[3], struct fi_info **request, int connected)
{
	int seen = 0;

	for (int i = 0; request || seen < connected; i = (i + 1) % 3) {
		struct fi_eq_cm_entry entry;
		uint32_t event;
		ssize_t ret;

		if (!eqs[i])
			continue;
		ret = fi_eq_read(eqs[i], &event, &entry, sizeof(entry), 0);
		if (ret == -FI_EAGAIN) {
			sched_yield();
		} else if (ret < 0) {
			return ret;
		} else if (event == FI_CONNECTED) {
			seen++;
		} else if (event == FI_CONNREQ && request) {
			*request = entry.info;
			return 0;
		} else {
			return -EPROTO;
		}
	}
	return 0;
}

FIXTURE_SETUP(fabric)
{
	struct fi_eq_attr eq = { .wait_obj = FI_WAIT_UNSPEC };
	struct fid_eq *eqs[3] = { 0 };
	struct fi_info *request;

	self->a.fd = -1;
	self->b.fd = -1;
	ASSERT_EQ(0, find(FI_SOURCE, &self->listening));
	ASSERT_EQ(0, find(0, &self->info));
	ASSERT_EQ(0, fi_fabric(self->info->fabric_attr, &self->fabric, NULL));
	ASSERT_EQ(0, fi_domain(self->fabric, self->info, &self->domain, NULL));
	ASSERT_EQ(0, fi_eq_open(self->fabric, &eq, &self->eq, NULL));
	ASSERT_EQ(0, fi_passive_ep(self->fabric, self->listening, &self->pep, NULL));
	ASSERT_EQ(0, fi_pep_bind(self->pep, &self->eq->fid, 0));
	ASSERT_EQ(0, fi_listen(self->pep));

	ASSERT_EQ(0, open_side(&self->a, self->fabric, self->domain, self->info));
	ASSERT_EQ(0, fi_connect(self->a.ep, self->info->dest_addr, NULL, 0));
	eqs[0] = self->eq;
	eqs[1] = self->a.eq;
	ASSERT_EQ(0, events(eqs, &request, 0));
	ASSERT_EQ(0, open_side(&self->b, self->fabric, self->domain, request));
	eqs[2] = self->b.eq;
	ASSERT_EQ(0, fi_accept(self->b.ep, NULL, 0));
	fi_freeinfo(request);
	ASSERT_EQ(0, events(eqs, NULL, 2));

	ASSERT_EQ(0, registers(&self->a, self->domain, variant->dmabuf));
	ASSERT_EQ(0, registers(&self->b, self->domain, variant->dmabuf));
	for (size_t i = 0; i < LENGTH; i++)
		self->a.data[i] = i ^ i >> 8 ^ i >> 16;
}

static void close_side(struct side *s)
{
	fi_close(&s->ep->fid);
	fi_close(&s->cq->fid);
	fi_close(&s->eq->fid);
	fi_close(&s->mr->fid);
	munmap(s->data, LENGTH);
	close(s->fd);
}

FIXTURE_TEARDOWN(fabric)
{
	close_side(&self->a);
	close_side(&self->b);
	fi_close(&self->pep->fid);
	fi_close(&self->eq->fid);
	fi_close(&self->domain->fid);
	fi_close(&self->fabric->fid);
	fi_freeinfo(self->info);
	fi_freeinfo(self->listening);
}

static int done(struct side *s)
{
	struct fi_cq_entry entry;
	ssize_t ret = fi_cq_sread(s->cq, &entry, 1, NULL, LIMIT);

	return ret == 1 ? 0 : ret;
}

TEST_F(fabric, write_and_read)
{
	struct side *a = &self->a, *b = &self->b;

	ASSERT_EQ(0, fi_write(a->ep, a->data, LENGTH, fi_mr_desc(a->mr), 0,
			      (uintptr_t)b->data, fi_mr_key(b->mr), NULL));
	ASSERT_EQ(0, done(a));
	EXPECT_EQ(0, memcmp(a->data, b->data, LENGTH));
	memset(a->data, 0, LENGTH);
	ASSERT_EQ(0, fi_read(a->ep, a->data, LENGTH, fi_mr_desc(a->mr), 0,
			     (uintptr_t)b->data, fi_mr_key(b->mr), NULL));
	ASSERT_EQ(0, done(a));
	EXPECT_EQ(0, memcmp(a->data, b->data, LENGTH));
	EXPECT_NE(0, a->data[1]);
}

TEST_F(fabric, send)
{
	struct side *a = &self->a, *b = &self->b;

	ASSERT_EQ(0, fi_recv(b->ep, b->data, LENGTH, fi_mr_desc(b->mr), 0, NULL));
	ASSERT_EQ(0, fi_send(a->ep, a->data, LENGTH, fi_mr_desc(a->mr), 0, NULL));
	ASSERT_EQ(0, done(a));
	ASSERT_EQ(0, done(b));
	EXPECT_EQ(0, memcmp(a->data, b->data, LENGTH));
}

TEST_HARNESS_MAIN
