// SPDX-License-Identifier: GPL-2.0
/*
 * A pool of blocks the size of a PMD, each zeroed before it is handed out:
 * by a worker while nobody waits, or by the caller when the worker is behind.
 * There is a list for each node, and one bound and one shrinker for all.
 *
 * Blocks are split into pages, so each page has a reference of its own and may
 * be freed by itself. On the lists a block is linked by its first page.
 */
#include <linux/cpuset.h>
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "internal.h"

static unsigned int pool_mib = 64;
static int pool_mib_set(const char *val, const struct kernel_param *kp);
static const struct kernel_param_ops pool_mib_ops = {
	.set = pool_mib_set,
	.get = param_get_uint,
};
module_param_cb(pool_mib, &pool_mib_ops, &pool_mib, 0644);
MODULE_PARM_DESC(pool_mib, "MiB of free blocks kept for the next allocation (default=64)");

/* The blocks of one node. */
struct pool {
	/** @lock: protects the lists */
	spinlock_t lock;
	/** @clean: blocks that are zeroed */
	struct list_head clean;
	/** @dirty: blocks that still hold what the last owner wrote */
	struct list_head dirty;
};

static struct pool *pools;
/* Blocks that are the pool's: on a list, or with the worker. */
static atomic_long_t pool_blocks;
static struct shrinker *pool_shrinker;
static struct workqueue_struct *pool_wq;
static struct work_struct pool_worker;

static void pool_zero(struct page *page)
{
	for (unsigned int i = 0; i < 1 << HEAP_POOL_ORDER; i++)
		clear_highpage(page + i);
}

static void pool_free(struct page *page)
{
	atomic_long_dec(&pool_blocks);
	for (unsigned int i = 0; i < 1 << HEAP_POOL_ORDER; i++)
		__free_page(page + i);
}

static struct page *pool_pop(struct pool *pool, struct list_head *list)
{
	struct page *page;

	spin_lock(&pool->lock);
	page = list_first_entry_or_null(list, struct page, lru);
	if (page)
		list_del(&page->lru);
	spin_unlock(&pool->lock);
	return page;
}

static void pool_push(struct pool *pool, struct list_head *list, struct page *page)
{
	spin_lock(&pool->lock);
	list_add(&page->lru, list);
	spin_unlock(&pool->lock);
}

static bool pool_full(long more)
{
	unsigned long limit = READ_ONCE(pool_mib) >> (PMD_SHIFT - 20);

	return atomic_long_read(&pool_blocks) + more > limit;
}

/* Frees the blocks of a pool while the pools hold too many. */
static void pool_trim(struct pool *pool)
{
	struct page *page;

	while (pool_full(0)) {
		page = pool_pop(pool, &pool->clean);
		if (!page)
			break;
		pool_free(page);
		cond_resched();
	}
}

static void pool_work(struct work_struct *work)
{
	struct page *page;
	int nid;

	for_each_node(nid) {
		while ((page = pool_pop(&pools[nid], &pools[nid].dirty))) {
			if (pool_full(0)) {
				pool_free(page);
				continue;
			}
			pool_zero(page);
			pool_push(&pools[nid], &pools[nid].clean, page);
			cond_resched();
		}
		pool_trim(&pools[nid]);
	}
}

/* A smaller pool gives up what it holds too much. */
static int pool_mib_set(const char *val, const struct kernel_param *kp)
{
	int ret = param_set_uint(val, kp);

	if (!ret && pool_wq)
		queue_work(pool_wq, &pool_worker);
	return ret;
}

/*
 * The node whose blocks the caller may have. A task that says where its memory
 * must be gets it from the page allocator.
 */
static int pool_node(int nid)
{
	if (nid == NUMA_NO_NODE) {
#ifdef CONFIG_NUMA
		if (current->mempolicy)
			return NUMA_NO_NODE;
#endif
		nid = numa_mem_id();
	}
	return node_isset(nid, cpuset_current_mems_allowed) ? nid : NUMA_NO_NODE;
}

/* A zeroed block of node @nid, or of the caller's for NUMA_NO_NODE, or NULL. */
struct page *heap_pool_get(int nid)
{
	struct page *page;

	nid = pool_node(nid);
	if (nid == NUMA_NO_NODE)
		return NULL;
	page = pool_pop(&pools[nid], &pools[nid].clean);
	if (!page) {
		page = pool_pop(&pools[nid], &pools[nid].dirty);
		if (!page)
			return NULL;
		pool_zero(page);
	}
	atomic_long_dec(&pool_blocks);
	return page;
}

/*
 * Keeps a block of split pages; false when the pool is full, or when somebody
 * has a reference on one of the pages: he must not see what the next owner of
 * the block writes.
 */
bool heap_pool_put(struct page *page)
{
	struct pool *pool = &pools[page_to_nid(page)];

	if (pool_full(1))
		return false;
	for (unsigned int i = 0; i < 1 << HEAP_POOL_ORDER; i++)
		if (page_count(page + i) != 1)
			return false;
	atomic_long_inc(&pool_blocks);
	pool_push(pool, &pool->dirty, page);
	queue_work(pool_wq, &pool_worker);
	return true;
}

static unsigned long pool_count(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long blocks = atomic_long_read(&pool_blocks);

	return blocks ? blocks << HEAP_POOL_ORDER : SHRINK_EMPTY;
}

static unsigned long pool_scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long freed = 0;
	struct page *page;
	int nid;

	for_each_node(nid) {
		struct pool *pool = &pools[nid];

		while (freed < sc->nr_to_scan) {
			page = pool_pop(pool, &pool->dirty) ?: pool_pop(pool, &pool->clean);
			if (!page)
				break;
			pool_free(page);
			freed += 1 << HEAP_POOL_ORDER;
		}
	}
	return freed ?: SHRINK_STOP;
}

/* The parameter can be written until the module is gone. */
static void pool_wq_destroy(void)
{
	struct workqueue_struct *wq = pool_wq;

	kernel_param_lock(THIS_MODULE);
	pool_wq = NULL;
	kernel_param_unlock(THIS_MODULE);
	destroy_workqueue(wq);
}

int heap_pool_init(void)
{
	int nid;

	pools = kcalloc(nr_node_ids, sizeof(*pools), GFP_KERNEL);
	if (!pools)
		return -ENOMEM;
	for_each_node(nid) {
		spin_lock_init(&pools[nid].lock);
		INIT_LIST_HEAD(&pools[nid].clean);
		INIT_LIST_HEAD(&pools[nid].dirty);
	}

	INIT_WORK(&pool_worker, pool_work);
	pool_wq = alloc_workqueue(KBUILD_MODNAME, WQ_UNBOUND, 0);
	if (!pool_wq)
		goto err_pools;
	pool_shrinker = shrinker_alloc(0, KBUILD_MODNAME);
	if (!pool_shrinker)
		goto err_wq;
	pool_shrinker->count_objects = pool_count;
	pool_shrinker->scan_objects = pool_scan;
	shrinker_register(pool_shrinker);
	return 0;

err_wq:
	pool_wq_destroy();
err_pools:
	kfree(pools);
	return -ENOMEM;
}

void heap_pool_exit(void)
{
	struct page *page;
	int nid;

	pool_wq_destroy();
	shrinker_free(pool_shrinker);
	for_each_node(nid) {
		while ((page = pool_pop(&pools[nid], &pools[nid].dirty)) ||
		       (page = pool_pop(&pools[nid], &pools[nid].clean)))
			pool_free(page);
	}
	kfree(pools);
}
