// SPDX-License-Identifier: GPL-2.0
/*
 * VDUSE: a vDPA device in user space, whose daemon may give its own memory as
 * bounce buffer (VDUSE_IOTLB_REG_UMEM), pinned for as long as it likes. There
 * has to be a bounce buffer already, so a driver must have mapped something:
 * virtio_net does when its interface comes up.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/vduse.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gup_surface.h"

#define NAME "gup_surface"
#define BOUNCE_SIZE ((size_t)1 << 20)	/* the least it accepts */

static int control = -1, device = -1;
static pid_t daemon_pid;

static int create_device(void)
{
	struct {
		struct vduse_dev_config head;
		struct virtio_net_config net;
	} config = {
		.head = {
			.name = NAME,
			.device_id = VIRTIO_ID_NET,
			.features = 1ULL << VIRTIO_F_ACCESS_PLATFORM |
				    1ULL << VIRTIO_F_VERSION_1,
			.vq_num = 2,
			.vq_align = 4096,
			.config_size = sizeof(struct virtio_net_config),
		},
	};
	struct vduse_vq_config vq[] = {
		{ .index = 0, .max_size = 64 },
		{ .index = 1, .max_size = 64 },
	};
	__u64 version = VDUSE_API_VERSION;

	control = open("/dev/vduse/control", O_RDWR | O_CLOEXEC);
	if (control < 0 || ioctl(control, VDUSE_SET_API_VERSION, &version) ||
	    ioctl(control, VDUSE_CREATE_DEV, &config))
		return -1;
	device = open("/dev/vduse/" NAME, O_RDWR | O_CLOEXEC);
	return device < 0 || ioctl(device, VDUSE_VQ_SETUP, &vq[0]) ||
		ioctl(device, VDUSE_VQ_SETUP, &vq[1]);
}

/* Says yes to whatever the driver wants; no packet ever moves. */
static void serve(void)
{
	struct vduse_dev_response response;
	struct vduse_dev_request request;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(device, &request, sizeof(request)) == sizeof(request)) {
		response = (struct vduse_dev_response){
			.request_id = request.request_id,
			.result = VDUSE_REQ_RESULT_OK,
		};
		if (write(device, &response, sizeof(response)) != sizeof(response))
			break;
	}
	_exit(0);
}

/* The interface of the device, once it has one. */
static bool link_up(void)
{
	static const char pattern[] = "/sys/bus/vdpa/devices/" NAME "/virtio*/net/*";
	glob_t found;
	bool ok = false;

	if (!glob(pattern, 0, NULL, &found)) {
		const char *const up[] = {
			"ip", "link", "set", strrchr(found.gl_pathv[0], '/') + 1, "up", NULL,
		};

		ok = !run(up);
		globfree(&found);
	}
	return ok;
}

static const char *vdpa_setup(void)
{
	static const char *const add[] = {
		"vdpa", "dev", "add", "name", NAME, "mgmtdev", "vduse", NULL,
	};
	const char *reason;

	if (!access("/proc/lockdep", F_OK))
		return "lockdep objects to a lock of vduse";
	reason = load_module("vduse", NULL);
	if (!reason)
		reason = load_module("virtio_vdpa", NULL);
	if (!reason)
		reason = load_module("virtio_net", NULL);
	if (reason)
		return reason;
	if (create_device())
		return missing("no VDUSE device: %s", strerrorname_np(errno));
	if (write_string("/sys/class/vduse/" NAME "/bounce_size", "1048576"))
		return "VDUSE has a bounce buffer of fixed size";
	daemon_pid = fork();
	if (!daemon_pid)
		serve();
	if (run(add))
		return "vdpa cannot add the VDUSE device";
	return link_up() ? NULL : "the VDUSE device has no interface";
}

static void vdpa_teardown(void)
{
	static const char *const del[] = { "vdpa", "dev", "del", NAME, NULL };

	if (device >= 0) {
		run(del);
		if (daemon_pid > 0) {
			kill(daemon_pid, SIGKILL);
			waitpid(daemon_pid, NULL, 0);
		}
		close(device);
	}
	if (control >= 0) {
		ioctl(control, VDUSE_DESTROY_DEV, NAME);
		close(control);
	}
}

static struct result reg_umem(struct cell *c)
{
	struct vduse_iova_umem umem = {
		.uaddr = (unsigned long)c->map,
		.size = BOUNCE_SIZE,
	};

	if (ioctl(device, VDUSE_IOTLB_REG_UMEM, &umem))
		return refused(errno);
	if (ioctl(device, VDUSE_IOTLB_DEREG_UMEM, &umem))
		return odd("not given back");
	/* It had been given what the bounce buffer held. */
	pattern_fill(c->map, c->size);
	return taken();
}

static const struct user users[] = {
	{ "VDUSE_IOTLB_REG_UMEM", reg_umem, .expect = EXPECT_REFUSED(EFAULT) },
};

const struct family vdpa_family = {
	.name = "vDPA",
	.users = users,
	.nr = ARRAY_SIZE(users),
	.setup = vdpa_setup,
	.teardown = vdpa_teardown,
};
