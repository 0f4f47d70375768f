// SPDX-License-Identifier: GPL-2.0
/*
 * libdmabufmr.so: ibv_reg_dmabuf_mr() where only rdma-core's provider lacks it
 *
 *	LD_PRELOAD=libdmabufmr.so PROGRAM [ARGUMENT...]
 *
 * A provider that does not fill in the call makes libibverbs answer EOPNOTSUPP without
 * asking the kernel; rxe's is such a one. The ioctl behind the call is the same for all
 * devices, and libibverbs exports the function that makes it, to its providers. This
 * library calls that for them, and is out of the way whenever the provider has the call
 * itself, or the kernel does not.
 *
 * Documentation/rdma-userspace.rst says more; patches/rdma-core has the change that makes
 * this library superfluous for rxe.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <infiniband/verbs.h>

/*
 * What a provider's own memory region begins with: libibverbs keeps the type and the
 * access behind the public part, and a provider its own things behind that. It also
 * frees the region, hence no allocation of another kind.
 */
struct provider_mr {
	struct ibv_mr mr;
	char room[1024];
};

typedef struct ibv_mr *(*reg_fn)(struct ibv_pd *pd, uint64_t offset, size_t length,
				 uint64_t iova, int fd, int access);
typedef int (*cmd_fn)(struct ibv_pd *pd, uint64_t offset, size_t length, uint64_t iova,
		      int fd, int access, void *mr, void *driver);

static reg_fn reg_next;
static cmd_fn cmd_reg;

/*
 * The symbol's version is IBVERBS_PRIVATE_ and that of rdma-core, whichever it is: it is
 * looked up without one. Nobody promises that its arguments stay. Since it came, in
 * rdma-core 34, the last one was added: an older function does not look at it.
 */
static __attribute__((constructor)) void find_functions(void)
{
	reg_next = (reg_fn)dlsym(RTLD_NEXT, "ibv_reg_dmabuf_mr");
	cmd_reg = (cmd_fn)dlsym(RTLD_NEXT, "ibv_cmd_reg_dmabuf_mr");
}

/*
 * Does the provider lack the call? With it, no descriptor is another error than no
 * support. Where it is the kernel that has none, its answer to the ioctl will be the same.
 */
static int provider_lacks_call(struct ibv_pd *pd)
{
	struct ibv_mr *mr = reg_next(pd, 0, 4096, 0, -1, 0);

	if (!mr)
		return errno == EOPNOTSUPP;
	ibv_dereg_mr(mr);
	return 0;
}

struct ibv_mr *ibv_reg_dmabuf_mr(struct ibv_pd *pd, uint64_t offset, size_t length,
				 uint64_t iova, int fd, int access)
{
	struct provider_mr *new;
	struct ibv_mr *mr;
	int err;

	if (!reg_next) {
		errno = EOPNOTSUPP;
		return NULL;
	}
	mr = reg_next(pd, offset, length, iova, fd, access);
	if (mr || errno != EOPNOTSUPP)
		return mr;
	if (!cmd_reg || !provider_lacks_call(pd)) {
		errno = EOPNOTSUPP;
		return NULL;
	}
	new = calloc(1, sizeof(*new));
	if (!new)
		return NULL;
	err = cmd_reg(pd, offset, length, iova, fd, access, &new->mr, NULL);
	if (err) {
		free(new);
		errno = err;
		return NULL;
	}
	return &new->mr;
}
