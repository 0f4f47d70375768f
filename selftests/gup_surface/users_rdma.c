// SPDX-License-Identifier: GPL-2.0
/*
 * RDMA: memory regions, pinned until they are deregistered. The device is
 * soft-RoCE on a dummy interface.
 */
#include <errno.h>
#include <glob.h>
#include <infiniband/verbs.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/ib_user_verbs.h>
#include <rdma/rdma_user_ioctl_cmds.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "gup_surface.h"

#define RXE "gup_rxe0"
#define DUMMY "gup_dummy0"

static bool loaded_rxe;

static struct ibv_context *find_device(void)
{
	struct ibv_device **list = ibv_get_device_list(NULL);
	struct ibv_context *ctx = NULL;
	int i;

	for (i = 0; list && list[i] && !ctx; i++)
		if (!strcmp(ibv_get_device_name(list[i]), RXE))
			ctx = ibv_open_device(list[i]);
	if (list)
		ibv_free_device_list(list);
	return ctx;
}

/* A replacement of rdma_rxe may register the dma-buf instead of its pages. */
static bool foreign_rxe(void)
{
	char taint[16] = "";
	FILE *f = fopen("/sys/module/rdma_rxe/taint", "re");

	if (f) {
		if (!fgets(taint, sizeof(taint), f))
			taint[0] = 0;
		fclose(f);
	}
	return strchr(taint, 'O');
}

/* The kernel's own, where a replacement is installed, too: modprobe takes a path. */
static const char *load_own_rxe(void)
{
	const char *argv[4] = { "modprobe", "-q" };
	struct utsname uts;
	char pattern[256];
	glob_t found;
	int ret;

	if (!access("/sys/module/rdma_rxe", F_OK))
		return foreign_rxe() ? "rdma_rxe is not the kernel's own" : NULL;

	uname(&uts);
	snprintf(pattern, sizeof(pattern),
		 "/lib/modules/%s/kernel/drivers/infiniband/sw/rxe/rdma_rxe.ko*", uts.release);
	if (glob(pattern, 0, NULL, &found))
		return "the kernel has no module rdma_rxe";
	argv[2] = found.gl_pathv[0];
	ret = run(argv);
	globfree(&found);
	loaded_rxe = !ret;
	return ret ? "cannot load the kernel's own rdma_rxe" : NULL;
}

static const char *rdma_setup(void)
{
	static const char *const add_netdev[] = {
		"ip", "link", "add", DUMMY, "type", "dummy", NULL
	};
	static const char *const up[] = { "ip", "link", "set", DUMMY, "up", NULL };
	static const char *const add[] = {
		"rdma", "link", "add", RXE, "type", "rxe", "netdev", DUMMY, NULL
	};
	struct ibv_context *ctx;
	const char *reason;

	reason = load_module("dummy", "numdummies=0");
	if (!reason)
		reason = load_module("ib_uverbs", NULL);
	if (!reason)
		reason = load_own_rxe();
	if (reason)
		return reason;
	if (run(add_netdev) || run(up) || run(add))
		return "cannot create a soft-RoCE device";
	ctx = find_device();
	if (!ctx)
		return "no verbs for the soft-RoCE device";
	ibv_close_device(ctx);
	return NULL;
}

static void rdma_teardown(void)
{
	static const char *const del[] = { "rdma", "link", "delete", RXE, NULL };
	static const char *const del_netdev[] = { "ip", "link", "del", DUMMY, NULL };
	static const char *const unload[] = { "modprobe", "-r", "rdma_rxe", NULL };

	run(del);
	run(del_netdev);
	/* Others may want the replacement. */
	if (loaded_rxe)
		run(unload);
	loaded_rxe = false;
}

static bool has_odp(struct ibv_context *ctx)
{
	struct ibv_device_attr_ex attr;

	return !ibv_query_device_ex(ctx, NULL, &attr) &&
		attr.odp_caps.general_caps & IBV_ODP_SUPPORT;
}

/*
 * What ibv_advise_mr() would do, had the soft-RoCE provider of rdma-core this
 * operation: ask for the pages now.
 */
static int prefetch(struct ibv_pd *pd, struct ibv_mr *mr)
{
	struct ib_uverbs_sge sge = {
		.addr = (unsigned long)mr->addr,
		.length = mr->length,
		.lkey = mr->lkey,
	};
	struct {
		struct ib_uverbs_ioctl_hdr head;
		struct ib_uverbs_attr attr[4];
	} cmd = {
		.head = {
			.length = sizeof(cmd),
			.object_id = UVERBS_OBJECT_MR,
			.method_id = UVERBS_METHOD_ADVISE_MR,
			.num_attrs = 4,
			.driver_id = RDMA_DRIVER_RXE,
		},
		.attr = {
			{ .attr_id = UVERBS_ATTR_ADVISE_MR_PD_HANDLE, .data = pd->handle },
			{ .attr_id = UVERBS_ATTR_ADVISE_MR_ADVICE, .len = 8,
			  .data = IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH_WRITE },
			{ .attr_id = UVERBS_ATTR_ADVISE_MR_FLAGS, .len = 8,
			  .data = IB_UVERBS_ADVISE_MR_FLAG_FLUSH },
			{ .attr_id = UVERBS_ATTR_ADVISE_MR_SGE_LIST, .len = sizeof(sge),
			  .data = (unsigned long)&sge },
		},
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cmd.attr); i++)
		cmd.attr[i].flags = UVERBS_ATTR_F_MANDATORY;
	return ioctl(pd->context->cmd_fd, RDMA_VERBS_IOCTL, &cmd) ? errno : 0;
}

static struct result reg_mr(struct cell *c)
{
	struct ibv_context *ctx = find_device();
	struct ibv_pd *pd = ctx ? ibv_alloc_pd(ctx) : NULL;
	struct ibv_mr *mr;
	int err = 0;

	if (!pd)
		return skipped("no protection domain");
	if (c->arg & IBV_ACCESS_ON_DEMAND && !has_odp(ctx))
		return skipped("rdma_rxe has no on-demand paging");
	mr = ibv_reg_mr(pd, c->map, c->size, c->arg);
	if (!mr)
		return refused(errno);
	/* It has no pages yet; what an access would meet, a prefetch meets now. */
	if (c->arg & IBV_ACCESS_ON_DEMAND)
		err = prefetch(pd, mr);
	if (ibv_dereg_mr(mr))
		return odd("not given back");
	return err ? refused(err) : taken();
}

#define REMOTE (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_WRITE)

/* ib_umem_get() pins; an on-demand region asks HMM, which excludes PFNMAP. */
static const struct user users[] = {
	{ "ibv_reg_mr", reg_mr, REMOTE, .expect = EXPECT_REFUSED(EFAULT) },
	{ "ibv_reg_mr, read only", reg_mr, IBV_ACCESS_REMOTE_READ,
	  .expect = EXPECT_REFUSED(EFAULT) },
	{ "ibv_reg_mr on demand, prefetch", reg_mr, REMOTE | IBV_ACCESS_ON_DEMAND,
	  .expect = EXPECT_REFUSED(EFAULT) },
};

const struct family rdma_family = {
	.name = "RDMA",
	.users = users,
	.nr = ARRAY_SIZE(users),
	.setup = rdma_setup,
	.teardown = rdma_teardown,
};
