// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/debug/dma_buf_exporter/buffers: every live buffer, one a line.
 * A test that leaves a line behind has leaked. Beside it, in pins: who pins what.
 */
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/timekeeping.h>

#include "attach.h"

/* Taken inside dma_resv, which is only tried inside it. */
static DEFINE_MUTEX(live_mutex);
static LIST_HEAD(live_buffers);
static struct dentry *debugfs_dir;

void exporter_live_add(struct dma_buf_exporter *exporter)
{
	guard(mutex)(&live_mutex);
	list_add_tail(&exporter->live, &live_buffers);
}

void exporter_live_del(struct dma_buf_exporter *exporter)
{
	guard(mutex)(&live_mutex);
	list_del(&exporter->live);
}

void exporter_live_prime(void)
{
	guard(mutex)(&live_mutex);
}

static const char *caching(const struct dma_buf_backing *backing)
{
	static const char * const names[] = {
		[DMA_BUF_CACHED] = "wb",
		[DMA_BUF_WRITECOMBINE] = "wc",
		[DMA_BUF_UNCACHED] = "uc",
	};

	return backing ? names[backing->caching] : "-";
}

static const char *state(const struct dma_buf_exporter *exporter)
{
	if (exporter->revoked)
		return "revoked";
	if (exporter->suspended)
		return "suspended";
	return exporter->copying ? "copying" : "-";
}

static int buffers_show(struct seq_file *m, void *unused)
{
	struct dma_buf_exporter *exporter;

	guard(mutex)(&live_mutex);

	seq_puts(m, "exporter ino size mode placement caching extents vmas attachments pins vmaps pmd_faults pte_faults ptes moves state\n");
	list_for_each_entry(exporter, &live_buffers, live) {
		const struct dma_buf_exporter_stats *stats = &exporter->stats;
		const struct dma_buf_backing *backing;
		const struct dma_buf *dmabuf;

		if (!dma_resv_trylock(exporter->resv)) {
			seq_printf(m, "%s %llu %llu busy\n", exporter->ops->name,
				   exporter->id, exporter->size);
			continue;
		}
		/* A copy that is over is over, whether somebody looked or not. */
		exporter_settle(exporter, false, false);
		backing = exporter->backing;
		dmabuf = exporter->dmabuf;
		seq_printf(m, "%s %llu %llu %s %s %s %u %d %zu %u %u %llu %llu %llu %llu %s\n",
			   exporter->ops->name, exporter->id, exporter->size,
			   !dmabuf ? "-" : exporter->readonly ? "ro" : "rw",
			   backing_placement(backing), caching(backing),
			   backing ? backing->nr_extents : 0,
			   atomic_read(&exporter->nr_vmas),
			   list_count_nodes(&exporter->attachments),
			   exporter_pins(exporter), dmabuf ? dmabuf->vmapping_counter : 0,
			   stats->faults_pmd, stats->faults_pte, stats->ptes,
			   stats->moves, state(exporter));
		dma_resv_unlock(exporter->resv);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(buffers);

static int pins_show(struct seq_file *m, void *unused)
{
	u64 now = ktime_get_ns();
	struct dma_buf_exporter *exporter;
	struct exporter_attachment *ea;

	guard(mutex)(&live_mutex);

	seq_puts(m, "exporter ino device pins bytes ms pid comm\n");
	list_for_each_entry(exporter, &live_buffers, live) {
		if (!dma_resv_trylock(exporter->resv)) {
			seq_printf(m, "%s %llu busy\n", exporter->ops->name, exporter->id);
			continue;
		}
		list_for_each_entry(ea, &exporter->attachments, node)
			if (ea->pinned)
				seq_printf(m, "%s %llu %s %u %llu %llu %d %s\n",
					   exporter->ops->name, exporter->id,
					   dev_name(ea->attach->dev),
					   exporter_attachment_pins(ea), exporter->size,
					   div_u64(now - ea->since, NSEC_PER_MSEC),
					   ea->pid, ea->comm);
		dma_resv_unlock(exporter->resv);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(pins);

void exporter_debugfs_init(void)
{
	debugfs_dir = debugfs_create_dir(KBUILD_MODNAME, NULL);
	debugfs_create_file("buffers", 0400, debugfs_dir, NULL, &buffers_fops);
	debugfs_create_file("pins", 0400, debugfs_dir, NULL, &pins_fops);
}

void exporter_debugfs_exit(void)
{
	debugfs_remove_recursive(debugfs_dir);
}
