// SPDX-License-Identifier: GPL-2.0
/* The PCI driver for QEMU's "edu" device, and its node. */
#include <linux/dma-fence.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <linux/dma-buf-compat.h>

#include "edu_dma_internal.h"

/* 0 or the error of a job; -EINTR leaves it running. */
static int fence_wait(struct dma_fence *fence)
{
	int ret;

	if (IS_ERR(fence))
		return PTR_ERR(fence);
	if (dma_fence_wait(fence, true) < 0)
		ret = -EINTR;
	else
		ret = min(dma_fence_get_status(fence), 0);
	dma_fence_put(fence);
	return ret;
}

static int edu_copy(struct edu_file *file, const struct edu_copy *copy)
{
	struct dma_fence *fence = ERR_PTR(-ENOENT);
	struct edu_mapping *src, *dst;

	if (copy->flags & ~(EDU_ASYNC | EDU_BOOKKEEP) || copy->pad)
		return -EINVAL;
	scoped_cond_guard(mutex_intr, return -ERESTARTSYS, &file->lock) {
		src = xa_load(&file->mappings, copy->src);
		dst = xa_load(&file->mappings, copy->dst);
		if (src && dst)
			fence = edu_submit(file, copy, src, dst);
	}
	if (!IS_ERR(fence) && copy->flags & EDU_ASYNC) {
		dma_fence_put(fence);
		return 0;
	}
	return fence_wait(fence);
}

/* A job between a buffer and the bounce buffer. */
static int bounce_job(struct edu_file *file, const struct edu_access *access, bool write)
{
	struct dma_fence *fence = ERR_PTR(-ENOENT);
	struct edu_copy copy = { .len = access->len };
	struct edu_mapping *m;

	scoped_cond_guard(mutex_intr, return -ERESTARTSYS, &file->lock) {
		m = xa_load(&file->mappings, access->id);
		if (m && write) {
			copy.dst_offset = access->offset;
			fence = edu_submit(file, &copy, &file->bounce, m);
		} else if (m) {
			copy.src_offset = access->offset;
			fence = edu_submit(file, &copy, m, &file->bounce);
		}
	}
	return fence_wait(fence);
}

/* A transfer between the bounce buffer and the one inside the device. */
static int bounce_transfer(struct edu_file *file, const struct edu_access *access,
			   bool write)
{
	dma_addr_t addr = sg_dma_address(file->bounce_sgt.sgl);

	if (access->id || access->offset || !access->len || access->len > EDU_MAX_TRANSFER)
		return -EINVAL;
	guard(mutex)(&file->edu->engine);
	return edu_transfer(file->edu, addr, access->len, !write);
}

static int edu_access(struct edu_file *file, const struct edu_access *access, bool write,
		      int (*step)(struct edu_file *file, const struct edu_access *access,
				  bool write))
{
	void __user *user = u64_to_user_ptr(access->user);
	int ret;

	if (access->len > EDU_MAX_ACCESS || access->pad)
		return -EINVAL;
	scoped_cond_guard(mutex_intr, return -ERESTARTSYS, &file->bounce_lock) {
		/* A job whose caller was interrupted may still be using it. */
		ret = wait_event_interruptible(file->edu->wait,
					       !atomic_read(&file->bounce.jobs));
		if (ret)
			return ret;
		if (write && copy_from_user(file->bounce_mem, user, access->len))
			return -EFAULT;
		ret = step(file, access, write);
		if (!ret && !write && copy_to_user(user, file->bounce_mem, access->len))
			ret = -EFAULT;
	}
	return ret;
}

static void edu_hold(struct edu_file *file, bool hold)
{
	WRITE_ONCE(file->hold, hold);
	wake_up_all(&file->edu->wait);
}

static int edu_call(struct edu_file *file, unsigned int cmd, unsigned long arg, void *data)
{
	struct edu *edu = file->edu;

	switch (cmd) {
	case EDU_ATTACH:
		return edu_attach(file, data);
	case EDU_DETACH:
		return edu_detach(file, arg);
	case EDU_QUERY:
		return edu_query(file, data);
	case EDU_COPY:
		return edu_copy(file, data);
	case EDU_READ:
		return edu_access(file, data, false, bounce_job);
	case EDU_WRITE:
		return edu_access(file, data, true, bounce_job);
	case EDU_LOAD:
		return edu_access(file, data, true, bounce_transfer);
	case EDU_STORE:
		return edu_access(file, data, false, bounce_transfer);
	case EDU_RAW_DMA:
		return edu_raw(edu, data);
	case EDU_HOLD:
	case EDU_GO:
		edu_hold(file, cmd == EDU_HOLD);
		return 0;
	case EDU_WAIT:
		return wait_event_interruptible(edu->wait, !atomic_read(&file->jobs));
	case EDU_STATS:
		*(struct edu_stats *)data = (struct edu_stats) {
			.jobs = atomic64_read(&edu->jobs),
			.maps = atomic64_read(&edu->maps),
			.unmaps = atomic64_read(&edu->unmaps),
			.invalidations = atomic64_read(&edu->invalidations),
			.errors = atomic64_read(&edu->errors),
		};
		return 0;
	default:
		return -ENOTTY;
	}
}

static long edu_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	union {
		struct edu_attach attach;
		struct edu_query query;
		struct edu_copy copy;
		struct edu_access access;
		struct edu_raw raw;
		struct edu_stats stats;
	} data = {};
	size_t size = _IOC_SIZE(cmd);
	int ret;

	if (size > sizeof(data))
		return -ENOTTY;
	if (_IOC_DIR(cmd) & _IOC_WRITE && copy_from_user(&data, (void __user *)arg, size))
		return -EFAULT;
	ret = edu_call(filp->private_data, cmd, arg, &data);
	if (ret >= 0 && _IOC_DIR(cmd) & _IOC_READ &&
	    copy_to_user((void __user *)arg, &data, size))
		return -EFAULT;
	return ret;
}

/* The bounce buffer is a mapping that nobody attached. */
static int edu_bounce_init(struct edu_file *file)
{
	struct edu_mapping *m = &file->bounce;
	dma_addr_t addr;
	int ret;

	ret = sg_alloc_table(&file->bounce_sgt, 1, GFP_KERNEL);
	if (ret)
		return ret;
	file->bounce_mem = dma_alloc_coherent(file->edu->dev, EDU_MAX_ACCESS, &addr,
					      GFP_KERNEL);
	if (!file->bounce_mem) {
		sg_free_table(&file->bounce_sgt);
		return -ENOMEM;
	}
	sg_dma_address(file->bounce_sgt.sgl) = addr;
	sg_dma_len(file->bounce_sgt.sgl) = EDU_MAX_ACCESS;
	m->file = file;
	m->dir = DMA_BIDIRECTIONAL;
	m->size = EDU_MAX_ACCESS;
	m->sgt = &file->bounce_sgt;
	return 0;
}

static void edu_bounce_exit(struct edu_file *file)
{
	dma_free_coherent(file->edu->dev, EDU_MAX_ACCESS, file->bounce_mem,
			  sg_dma_address(file->bounce_sgt.sgl));
	sg_free_table(&file->bounce_sgt);
}

static int edu_open(struct inode *inode, struct file *filp)
{
	struct edu *edu = container_of(filp->private_data, struct edu, misc);
	struct edu_file *file = kzalloc(sizeof(*file), GFP_KERNEL);
	int ret;

	if (!file)
		return -ENOMEM;
	file->edu = edu;
	mutex_init(&file->lock);
	mutex_init(&file->bounce_lock);
	xa_init_flags(&file->mappings, XA_FLAGS_ALLOC1);
	ret = edu_bounce_init(file);
	if (ret) {
		kfree(file);
		return ret;
	}
	filp->private_data = file;
	return 0;
}

/* Held jobs go on, and are waited for: the device is not left with an address. */
static int edu_release(struct inode *inode, struct file *filp)
{
	struct edu_file *file = filp->private_data;

	edu_hold(file, false);
	wait_event(file->edu->wait, !atomic_read(&file->jobs));
	edu_detach_all(file);
	edu_bounce_exit(file);
	kfree(file);
	return 0;
}

static const struct file_operations edu_fops = {
	.owner = THIS_MODULE,
	.open = edu_open,
	.release = edu_release,
	.unlocked_ioctl = edu_ioctl,
};

static int edu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct edu *edu;
	int ret;

	edu = devm_kzalloc(&pdev->dev, sizeof(*edu), GFP_KERNEL);
	if (!edu)
		return -ENOMEM;
	edu->dev = &pdev->dev;
	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	edu->regs = pcim_iomap_region(pdev, 0, "edu_dma");
	if (IS_ERR(edu->regs))
		return PTR_ERR(edu->regs);
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;
	ret = edu_engine_init(edu);
	if (ret)
		return ret;
	pci_set_master(pdev);
	pci_set_drvdata(pdev, edu);
	edu->misc = (struct miscdevice) {
		.minor = MISC_DYNAMIC_MINOR,
		.name = "edu_dma",
		.fops = &edu_fops,
		.parent = &pdev->dev,
		.mode = 0600,
	};
	ret = misc_register(&edu->misc);
	if (ret)
		edu_engine_exit(edu);
	return ret;
}

/* Only when the module goes, and then no file is open. */
static void edu_remove(struct pci_dev *pdev)
{
	struct edu *edu = pci_get_drvdata(pdev);

	misc_deregister(&edu->misc);
	edu_engine_exit(edu);
	pci_clear_master(pdev);
}

static const struct pci_device_id edu_ids[] = {
	{ PCI_DEVICE(0x1234, 0x11e8) },
	{ }
};
MODULE_DEVICE_TABLE(pci, edu_ids);

static struct pci_driver edu_driver = {
	.name = "edu_dma",
	.id_table = edu_ids,
	.probe = edu_probe,
	.remove = edu_remove,
	.driver.suppress_bind_attrs = true,
};
module_pci_driver(edu_driver);

MODULE_DESCRIPTION("Importer with the DMA engine of QEMU's edu device (test aid)");
MODULE_LICENSE("GPL");
DMA_BUF_IMPORT_NS(DMA_BUF);
