// SPDX-License-Identifier: GPL-2.0
/*
 * How much may be pinned. What is pinned cannot move, so there is a limit for
 * each driver, or the library's for those that have none of their own; and on
 * request a pin counts as memory the user has locked.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/ctype.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/sizes.h>
#include <linux/timekeeping.h>
#include <linux/user_namespace.h>

#include "attach.h"

static unsigned int pin_limit_mib;
module_param(pin_limit_mib, uint, 0644);
MODULE_PARM_DESC(pin_limit_mib,
		 "MiB that importers may pin of the buffers of a driver (default=0: half of the memory)");

static bool pin_memlock;
module_param(pin_memlock, bool, 0644);
MODULE_PARM_DESC(pin_memlock,
		 "Count pins as locked memory of the user who attached (default=false)");

/* For drivers without a limit of their own. */
static struct dma_buf_pin_limit pin_default;

static u64 pin_max(const struct dma_buf_pin_limit *limit)
{
	unsigned int mib = READ_ONCE(pin_limit_mib);

	if (limit->max)
		return limit->max;
	return mib ? (u64)mib * SZ_1M : (u64)totalram_pages() << (PAGE_SHIFT - 1);
}

static struct dma_buf_pin_limit *pin_limit(const struct dma_buf_exporter *exporter)
{
	return exporter->ops->pin_limit ?: &pin_default;
}

/* However many pin a buffer, its memory is pinned once. */
static int pin_charge_driver(struct dma_buf_exporter *exporter,
			     struct exporter_attachment *ea)
{
	struct dma_buf_pin_limit *limit = pin_limit(exporter);

	if (exporter->nr_pinned++)
		return 0;
	if (atomic64_add_return(exporter->size, &limit->pinned) <= pin_max(limit))
		return 0;
	atomic64_sub(exporter->size, &limit->pinned);
	exporter->nr_pinned--;
	exporter_refuse(exporter, "%s[%d]: pin by %s: %llu bytes are over the limit of %llu",
			ea->comm, ea->pid, dev_name(ea->attach->dev), exporter->size,
			pin_max(limit));
	return -ENOMEM;
}

static void pin_uncharge_driver(struct dma_buf_exporter *exporter)
{
	if (!--exporter->nr_pinned)
		atomic64_sub(exporter->size, &pin_limit(exporter)->pinned);
}

/* As io_uring charges the buffers that it keeps. */
static int pin_charge_user(struct dma_buf_exporter *exporter,
			   struct exporter_attachment *ea)
{
	unsigned long pages = exporter->size >> PAGE_SHIFT;
	long locked;

	if (!READ_ONCE(pin_memlock) || !ea->user)
		return 0;
	locked = atomic_long_read(&ea->user->locked_vm);
	do {
		if (locked + pages > ea->limit) {
			exporter_refuse(exporter, "%s[%d]: %s pins %llu bytes over RLIMIT_MEMLOCK",
					ea->comm, ea->pid, dev_name(ea->attach->dev),
					exporter->size);
			return -ENOMEM;
		}
	} while (!atomic_long_try_cmpxchg(&ea->user->locked_vm, &locked, locked + pages));
	ea->locked = pages;
	return 0;
}

static void pin_uncharge_user(struct exporter_attachment *ea)
{
	if (ea->locked)
		atomic_long_sub(ea->locked, &ea->user->locked_vm);
	ea->locked = 0;
}

/* Pins of the buffer, without those the core takes for every mapping. */
unsigned int exporter_pins(const struct dma_buf_exporter *exporter)
{
	const struct exporter_attachment *ea;
	unsigned int pins = 0;

	dma_resv_assert_held(exporter->resv);

	list_for_each_entry(ea, &exporter->attachments, node)
		pins += exporter_attachment_pins(ea);
	return pins;
}

/* Makes the accounts say what is pinned now; -ENOMEM over a limit. */
int exporter_pin_account(struct dma_buf_exporter *exporter,
			 struct exporter_attachment *ea)
{
	bool pinned = exporter_attachment_pins(ea);
	int ret;

	dma_resv_assert_held(exporter->resv);

	if (pinned == ea->pinned)
		return 0;
	if (!pinned) {
		ea->pinned = false;
		pin_uncharge_user(ea);
		pin_uncharge_driver(exporter);
		return 0;
	}
	ret = pin_charge_driver(exporter, ea);
	if (ret)
		return ret;
	ret = pin_charge_user(exporter, ea);
	if (ret) {
		pin_uncharge_driver(exporter);
		return ret;
	}
	ea->pinned = true;
	ea->since = ktime_get_ns();
	return 0;
}

/* A process names itself as it likes; in a table and in the log it gets one line. */
static void pin_name(struct exporter_attachment *ea)
{
	get_task_comm(ea->comm, current);
	for (char *c = ea->comm; *c; c++)
		if (!isprint(*c))
			*c = '?';
}

/* Whoever attaches is who pins, whichever task of the importer does so later. */
void exporter_pin_attach(struct exporter_attachment *ea)
{
	ea->pid = task_tgid_nr(current);
	pin_name(ea);
	ea->limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	if (!ns_capable_noaudit(&init_user_ns, CAP_IPC_LOCK))
		ea->user = get_uid(current_user());
}

void exporter_pin_detach(struct exporter_attachment *ea)
{
	if (ea->user)
		free_uid(ea->user);
}
