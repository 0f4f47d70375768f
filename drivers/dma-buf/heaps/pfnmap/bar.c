// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of a PCI device, behind one of its BARs: I/O memory, write-combined. The
 * device must have no driver, which would reset it or let it sleep.
 */
#include <linux/cleanup.h>
#include <linux/err.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "region.h"

static char *bar;
module_param(bar, charp, 0444);
MODULE_PARM_DESC(bar, "Memory of PCI devices: NAME:DOMAIN:BUS:DEVICE.FUNCTION/BAR[,...]");

/**
 * struct bar - a BAR
 * @region: the allocator
 * @pdev: the device
 * @nr: number of the BAR
 * @list: in the list of BARs
 */
struct bar {
	struct heap_region region;
	struct pci_dev *pdev;
	unsigned int nr;
	struct list_head list;
};

static LIST_HEAD(bars);

static int bar_zero(struct heap_region *region, phys_addr_t addr, size_t len)
{
	void __iomem *io = ioremap_wc(addr, len);

	if (!io)
		return -ENOMEM;
	memset_io(io, 0, len);
	iounmap(io);
	return 0;
}

/* Finds the device, on which it takes a reference. */
static int __init bar_parse(struct bar *b, const char *arg)
{
	unsigned int domain, bus, dev, fn;
	const char *colon = strchr(arg, ':');
	int end = 0;

	if (!colon || sscanf(colon, ":%x:%x:%x.%x/%u%n", &domain, &bus, &dev, &fn,
			     &b->nr, &end) != 5 || colon[end] ||
	    bus > 0xff || dev > 0x1f || fn > 7 || b->nr >= PCI_STD_NUM_BARS) {
		pr_err("bar %s: must be NAME:DOMAIN:BUS:DEVICE.FUNCTION/BAR\n", arg);
		return -EINVAL;
	}
	if (heap_region_set_name(&b->region, arg, colon - arg)) {
		pr_err("bar %s: the name must be 1 to %zu letters, digits, '_' or '-'\n",
		       arg, REGION_NAME_LEN - 1);
		return -EINVAL;
	}
	b->pdev = pci_get_domain_bus_and_slot(domain, bus, PCI_DEVFN(dev, fn));
	if (!b->pdev) {
		pr_err("bar %s: there is no PCI device %04x:%02x:%02x.%x\n",
		       b->region.name, domain, bus, dev, fn);
		return -ENODEV;
	}
	return 0;
}

static int __init bar_check(const struct bar *b)
{
	resource_size_t start = pci_resource_start(b->pdev, b->nr);
	resource_size_t len = pci_resource_len(b->pdev, b->nr);

	if (!len || !(pci_resource_flags(b->pdev, b->nr) & IORESOURCE_MEM) ||
	    !PAGE_ALIGNED(start) || !PAGE_ALIGNED(len)) {
		pr_err("bar %s: BAR %u of %s must be memory of whole pages\n",
		       b->region.name, b->nr, pci_name(b->pdev));
		return -ENODEV;
	}
	return 0;
}

static int __init bar_setup(struct bar *b)
{
	struct heap_region *region = &b->region;
	int ret;

	ret = pci_enable_device_mem(b->pdev);
	if (ret)
		return ret;
	ret = pci_request_region(b->pdev, b->nr, KBUILD_MODNAME);
	if (ret) {
		pr_err("bar %s: BAR %u of %s must not be in use by others\n",
		       region->name, b->nr, pci_name(b->pdev));
		goto err_enable;
	}
	region->base = pci_resource_start(b->pdev, b->nr);
	region->size = pci_resource_len(b->pdev, b->nr);
	region->caching = DMA_BUF_WRITECOMBINE;
	region->io = true;
	region->provider = b->pdev;
	region->zero = bar_zero;
	ret = arch_io_reserve_memtype_wc(region->base, region->size);
	if (ret) {
		pr_err("bar %s: cannot be write-combined: %pe\n", region->name, ERR_PTR(ret));
		goto err_request;
	}
	ret = heap_region_add(region);
	if (ret == -EEXIST) {
		pr_err("bar %s: must not have the name of another placement\n", region->name);
		ret = -EINVAL;
	}
	if (ret)
		goto err_memtype;
	return 0;

err_memtype:
	arch_io_free_memtype_wc(region->base, region->size);
err_request:
	pci_release_region(b->pdev, b->nr);
err_enable:
	pci_disable_device(b->pdev);
	return ret;
}

/* A driver that comes later and asks for its BARs finds that this one is taken. */
static int __init bar_claim(struct bar *b)
{
	struct device *dev = &b->pdev->dev;

	guard(device)(dev);
	if (dev->driver) {
		pr_err("bar %s: %s must not have a driver, it has %s\n", b->region.name,
		       pci_name(b->pdev), dev->driver->name);
		return -EBUSY;
	}
	return bar_setup(b);
}

static int __init bar_add(const char *arg)
{
	struct bar *b __free(kfree) = kzalloc(sizeof(*b), GFP_KERNEL);
	int ret;

	if (!b)
		return -ENOMEM;
	ret = bar_parse(b, arg);
	if (ret)
		return ret;
	ret = bar_check(b);
	if (!ret)
		ret = bar_claim(b);
	if (ret)
		pci_dev_put(b->pdev);
	else
		list_add_tail(&no_free_ptr(b)->list, &bars);
	return ret;
}

void heap_bars_exit(void)
{
	struct bar *b, *next;

	list_for_each_entry_safe(b, next, &bars, list) {
		list_del(&b->list);
		heap_region_del(&b->region);
		arch_io_free_memtype_wc(b->region.base, b->region.size);
		pci_release_region(b->pdev, b->nr);
		pci_disable_device(b->pdev);
		pci_dev_put(b->pdev);
		kfree(b);
	}
}

int __init heap_bars_init(void)
{
	char *args __free(kfree) = kstrdup(bar, GFP_KERNEL);
	char *rest = args, *arg;
	int ret = 0;

	if (!bar || !*bar)
		return 0;
	if (!args)
		return -ENOMEM;
	while (!ret && (arg = strsep(&rest, ",")))
		ret = bar_add(arg);
	if (ret)
		heap_bars_exit();
	return ret;
}
