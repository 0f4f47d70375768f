// SPDX-License-Identifier: GPL-2.0
/*
 * What real exporters seldom do: one that answers as it is told to, and counts what
 * it was asked.
 */
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/iosys-map.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/module.h>

#include <linux/dma-buf-compat.h>
#include <linux/dma-buf-importer.h>

#include "importer_kunit.h"

static struct dma_buf_importer *import(struct kunit *test, enum dma_buf_importer_mode mode,
				       bool pin)
{
	struct fake *fake = test->priv;
	const struct dma_buf_importer_config config = {
		.mode = mode,
		.dev = mode == DMA_BUF_IMPORTER_DMA ? &fake->pdev->dev : NULL,
		.write = true,
		.pin = pin,
	};
	struct dma_buf_importer *importer;

	importer = dma_buf_importer_create(fake->dmabuf, &config);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, importer);
	return importer;
}

static int touch(struct dma_buf_importer *importer, unsigned long timeout)
{
	struct iosys_map map;
	int ret;

	ret = dma_buf_importer_begin(importer, &map, timeout);
	if (ret)
		return ret;
	iosys_map_wr(&map, 0, u32, 1);
	dma_buf_importer_end(importer);
	return 0;
}

static struct sg_table *map(struct fake *fake, struct dma_buf_importer *importer)
{
	struct sg_table *sgt;

	dma_resv_lock(fake->dmabuf->resv, NULL);
	sgt = dma_buf_importer_map(importer);
	dma_resv_unlock(fake->dmabuf->resv);
	return sgt;
}

static void cpu_on_demand(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct dma_buf_importer *importer;

	fake_export(test, &fake_ops, O_RDWR);
	importer = import(test, DMA_BUF_IMPORTER_CPU, false);
	KUNIT_EXPECT_EQ(test, fake->attached, 1);
	KUNIT_EXPECT_EQ(test, fake->vmaps, 0);
	for (int i = 1; i < 4; i++) {
		KUNIT_EXPECT_EQ(test, touch(importer, 0), 0);
		KUNIT_EXPECT_EQ(test, touch(importer, HZ), 0);
		KUNIT_EXPECT_EQ(test, fake->vmaps, i);
		KUNIT_EXPECT_EQ(test, fake->vmapped, 1);
		KUNIT_EXPECT_EQ(test, fake->mapped, 0);
		KUNIT_EXPECT_EQ(test, fake->pins, 0);
		fake_move(fake);
		KUNIT_EXPECT_EQ(test, fake->vmapped, 0);
	}
	KUNIT_EXPECT_EQ(test, touch(importer, HZ), 0);
	dma_buf_importer_destroy(importer);
	KUNIT_EXPECT_EQ(test, fake->vmapped, 0);
	KUNIT_EXPECT_EQ(test, fake->attached, 0);
}

/* An exporter that refuses is asked in the way in which it may. */
static void cpu_refused(struct kunit *test)
{
	static const int final[] = { -EAGAIN, -ENODEV, -EINTR };
	static const int of_dma[] = { -EOPNOTSUPP, -EBUSY, -EIO, -ENOMEM };
	struct fake *fake = test->priv;
	struct dma_buf_importer *importer;

	fake_export(test, &fake_ops, O_RDWR);
	importer = import(test, DMA_BUF_IMPORTER_CPU, false);
	for (int i = 0; i < ARRAY_SIZE(final); i++) {
		fake->map_error = final[i];
		KUNIT_EXPECT_EQ(test, touch(importer, 2), final[i]);
		KUNIT_EXPECT_EQ(test, fake->vmaps, 0);
	}
	/* The processor reaches more than a device. */
	for (int i = 0; i < ARRAY_SIZE(of_dma); i++) {
		fake->map_error = of_dma[i];
		KUNIT_EXPECT_EQ(test, touch(importer, 0), 0);
		KUNIT_EXPECT_EQ(test, fake->vmaps, i + 1);
		fake_move(fake);
	}
	dma_buf_importer_destroy(importer);
}

static void cpu_waits_for_copy(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct dma_buf_importer *importer;

	fake_export(test, &fake_ops, O_RDWR);
	importer = import(test, DMA_BUF_IMPORTER_CPU, false);
	fake_busy(test, DMA_RESV_USAGE_KERNEL);
	KUNIT_EXPECT_EQ(test, touch(importer, 0), -EAGAIN);
	KUNIT_EXPECT_EQ(test, touch(importer, 2), -EAGAIN);
	KUNIT_EXPECT_EQ(test, fake->vmaps, 0);
	fake_idle(fake);
	KUNIT_EXPECT_EQ(test, touch(importer, HZ), 0);
	KUNIT_EXPECT_EQ(test, fake->vmaps, 1);
	dma_buf_importer_destroy(importer);
}

/* An exporter that moves the memory because it is to be mapped. */
static void cpu_waits_after_map(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct dma_buf_importer *importer;

	fake_export(test, &fake_ops, O_RDWR);
	importer = import(test, DMA_BUF_IMPORTER_CPU, false);
	fake->copies = true;
	KUNIT_EXPECT_EQ(test, touch(importer, 0), -EAGAIN);
	KUNIT_EXPECT_EQ(test, touch(importer, 2), -EAGAIN);
	KUNIT_EXPECT_EQ(test, fake->vmapped, 0);
	fake_idle(fake);
	KUNIT_EXPECT_EQ(test, touch(importer, HZ), 0);
	dma_buf_importer_destroy(importer);
}

static void cpu_pinned(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct dma_buf_importer *importer;

	fake_export(test, &fake_ops, O_RDWR);
	importer = import(test, DMA_BUF_IMPORTER_CPU, true);
	KUNIT_EXPECT_EQ(test, fake->pins, 1);
	KUNIT_EXPECT_EQ(test, touch(importer, 0), 0);
	fake_move(fake);
	KUNIT_EXPECT_EQ(test, fake->pins, 0);
	KUNIT_EXPECT_EQ(test, fake->vmapped, 0);
	KUNIT_EXPECT_EQ(test, touch(importer, HZ), -ENODEV);
	dma_buf_importer_destroy(importer);

	importer = import(test, DMA_BUF_IMPORTER_CPU, true);
	dma_buf_importer_destroy(importer);
	KUNIT_EXPECT_EQ(test, fake->pins, 0);
}

static void cpu_static(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct dma_buf_importer *importer;

	fake_export(test, &fake_static_ops, O_RDWR);
	importer = import(test, DMA_BUF_IMPORTER_CPU, true);
	KUNIT_EXPECT_EQ(test, fake->attached, 1);
	KUNIT_EXPECT_EQ(test, touch(importer, 0), 0);
	KUNIT_EXPECT_EQ(test, fake->maps, 0);
	dma_buf_importer_destroy(importer);
	KUNIT_EXPECT_EQ(test, fake->vmapped, 0);
	KUNIT_EXPECT_EQ(test, fake->attached, 0);
}

static void refused(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct dma_buf_importer_config cpu = { .mode = DMA_BUF_IMPORTER_CPU };
	struct dma_buf_importer_config dma = {
		.mode = DMA_BUF_IMPORTER_DMA, .dev = &fake->pdev->dev,
	};
	struct dma_buf_importer *importer;

	fake_export(test, &fake_no_vmap_ops, O_RDWR);
	KUNIT_EXPECT_PTR_EQ(test, dma_buf_importer_create(fake->dmabuf, &cpu),
			    ERR_PTR(-EOPNOTSUPP));
	cpu.dev = &fake->pdev->dev;
	KUNIT_EXPECT_PTR_EQ(test, dma_buf_importer_create(fake->dmabuf, &cpu),
			    ERR_PTR(-EINVAL));
	dma_buf_put(fake->dmabuf);

	fake_export(test, &fake_ops, O_RDONLY);
	cpu.dev = NULL;
	KUNIT_EXPECT_PTR_EQ(test, dma_buf_importer_create(fake->dmabuf, &cpu),
			    ERR_PTR(-EACCES));
	dma.write = true;
	KUNIT_EXPECT_PTR_EQ(test, dma_buf_importer_create(fake->dmabuf, &dma),
			    ERR_PTR(-EACCES));
	dma.write = false;
	importer = dma_buf_importer_create(fake->dmabuf, &dma);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, importer);
	KUNIT_EXPECT_FALSE(test, dma_buf_importer_writable(importer));
	dma_buf_importer_destroy(importer);
	dma.dev = NULL;
	KUNIT_EXPECT_PTR_EQ(test, dma_buf_importer_create(fake->dmabuf, &dma),
			    ERR_PTR(-EINVAL));
}

static void dma_on_demand(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct dma_buf_importer *importer;
	struct sg_table *sgt;

	fake_export(test, &fake_ops, O_RDWR);
	importer = import(test, DMA_BUF_IMPORTER_DMA, false);
	KUNIT_EXPECT_EQ(test, fake->maps, 0);
	sgt = map(fake, importer);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sgt);
	KUNIT_EXPECT_PTR_EQ(test, map(fake, importer), sgt);
	KUNIT_EXPECT_EQ(test, fake->maps, 1);
	fake_move(fake);
	KUNIT_EXPECT_EQ(test, fake->mapped, 0);
	KUNIT_EXPECT_FALSE(test, IS_ERR(map(fake, importer)));
	KUNIT_EXPECT_EQ(test, fake->maps, 2);
	fake_move(fake);
	fake->map_error = -ENODEV;
	KUNIT_EXPECT_PTR_EQ(test, map(fake, importer), ERR_PTR(-ENODEV));
	fake->map_error = 0;
	KUNIT_EXPECT_FALSE(test, IS_ERR(map(fake, importer)));
	dma_buf_importer_destroy(importer);
	KUNIT_EXPECT_EQ(test, fake->mapped, 0);
	KUNIT_EXPECT_EQ(test, fake->attached, 0);
}

/* A device that is busy keeps its addresses until it is done, and no longer. */
static void dma_busy(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct dma_buf_importer *importer;

	fake_export(test, &fake_ops, O_RDWR);
	importer = import(test, DMA_BUF_IMPORTER_DMA, true);
	KUNIT_EXPECT_EQ(test, fake->pins, 1);
	KUNIT_ASSERT_FALSE(test, IS_ERR(map(fake, importer)));
	fake_busy(test, DMA_RESV_USAGE_BOOKKEEP);
	fake_move(fake);
	KUNIT_EXPECT_EQ(test, fake->mapped, 1);
	fake_idle(fake);
	/* Pinned, and yet told: it was the last mapping. */
	KUNIT_EXPECT_PTR_EQ(test, map(fake, importer), ERR_PTR(-ENODEV));
	KUNIT_EXPECT_EQ(test, fake->mapped, 0);
	KUNIT_EXPECT_EQ(test, fake->pins, 0);
	dma_buf_importer_destroy(importer);
}

static int fake_init(struct kunit *test)
{
	struct fake *fake = kunit_kzalloc(test, sizeof(*fake), GFP_KERNEL);

	if (!fake)
		return -ENOMEM;
	fake->page = (void *)get_zeroed_page(GFP_KERNEL);
	fake->pdev = platform_device_register_simple("dma_buf_importer_kunit",
						     PLATFORM_DEVID_AUTO, NULL, 0);
	if (!fake->page || IS_ERR(fake->pdev))
		return -ENOMEM;
	test->priv = fake;
	return dma_coerce_mask_and_coherent(&fake->pdev->dev, DMA_BIT_MASK(64));
}

static void fake_exit(struct kunit *test)
{
	struct fake *fake = test->priv;

	fake_idle(fake);
	dma_buf_put(fake->dmabuf);
	platform_device_unregister(fake->pdev);
	free_page((unsigned long)fake->page);
}

static struct kunit_case importer_cases[] = {
	KUNIT_CASE(cpu_on_demand),
	KUNIT_CASE(cpu_refused),
	KUNIT_CASE(cpu_waits_for_copy),
	KUNIT_CASE(cpu_waits_after_map),
	KUNIT_CASE(cpu_pinned),
	KUNIT_CASE(cpu_static),
	KUNIT_CASE(refused),
	KUNIT_CASE(dma_on_demand),
	KUNIT_CASE(dma_busy),
	{}
};

static struct kunit_suite importer_suite = {
	.name = "dma_buf_importer",
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = importer_cases,
};

kunit_test_suite(importer_suite);

MODULE_DESCRIPTION("KUnit tests of the DMA-BUF importer library");
MODULE_LICENSE("GPL");
DMA_BUF_IMPORT_NS(DMA_BUF);
