// SPDX-License-Identifier: GPL-2.0
/*
 * A job that the device of an importer is busy with for a while. The importer
 * unmaps when it is told to, and the device goes on until its fence.
 */
#include <linux/delay.h>
#include <linux/dma-fence.h>
#include <linux/err.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "exporter_test_internal.h"

#define JOB_US	2000

/* What the device does, and its end. */
void et_device_copy(void *mem, const struct et_copy *copy, void *bounce)
{
	if (copy->write)
		memcpy(mem, bounce, copy->len);
	else
		memcpy(bounce, mem, copy->len);
	memunmap(PTR_ALIGN_DOWN(mem, PAGE_SIZE));
}

static int job_run(const struct et_copy *copy, void *bounce, struct dma_fence *fence)
{
	void *mem = et_device_begin(copy, fence);

	if (IS_ERR(mem))
		return PTR_ERR(mem);
	usleep_range(JOB_US / 2, JOB_US);
	et_device_copy(mem, copy, bounce);
	return 0;
}

int et_job(const struct et_copy *copy)
{
	void __user *user = u64_to_user_ptr(copy->user);
	struct dma_fence *fence;
	void *bounce;
	int ret;

	if (copy->len > PAGE_SIZE)
		return -EINVAL;
	bounce = kmalloc(PAGE_SIZE, GFP_KERNEL);
	fence = et_fence_create(false);
	ret = -ENOMEM;
	if (!bounce || !fence)
		goto free;
	ret = -EFAULT;
	if (copy->write && copy_from_user(bounce, user, copy->len))
		goto free;
	ret = job_run(copy, bounce, fence);
	if (!ret && !copy->write && copy_to_user(user, bounce, copy->len))
		ret = -EFAULT;
free:
	if (fence) {
		dma_fence_signal(fence);
		dma_fence_put(fence);
	}
	kfree(bounce);
	return ret;
}
