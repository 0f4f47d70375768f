// SPDX-License-Identifier: GPL-2.0
/*
 * Which devices may map the BAR of another: those that the kernel says get there.
 * A kernel without PCI_P2PDMA says it of none, and no kernel of one that is not a
 * PCI device.
 */
#include "control.h"
#include "moves.h"
#include "harness.h"

/* Is @word in a line of @path that contains @line? */
static bool file_says(const char *path, const char *line, const char *word)
{
	FILE *f = fopen(path, "re");
	bool found = false;
	char text[512];

	while (f && !found && fgets(text, sizeof(text), f))
		found = strstr(text, line) && strstr(text, word);
	if (f)
		fclose(f);
	return found;
}

/* From a device to its own BAR. */
static bool to_itself(void)
{
	return file_says("/proc/kallsyms", " pci_p2pdma_distance_many", "");
}

/* Between two devices that only a host bridge joins, which has to be a known one. */
static bool through_host_bridge(void)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	unsigned int family = 0;
	char line[512];

	while (f && fgets(line, sizeof(line), f) &&
	       sscanf(line, "cpu family : %u", &family) != 1)
		;
	if (f)
		fclose(f);
	return to_itself() && family >= 0x17 &&
	       file_says("/proc/cpuinfo", "vendor_id", "AuthenticAMD");
}

FIXTURE(p2p) {
	int et;
	int dev;
	struct et_alloc how;
	struct et_import import;
	struct controlled buf;
};

FIXTURE_SETUP(p2p)
{
	int ret;

	self->et = et_open();
	ASSERT_GE(self->et, 0);
	self->dev = control_open();
	ASSERT_GE(self->dev, 0);
	/* The test module knows its device from here on. */
	ret = buffer_alloc(self->et, &self->how, ET_IO, 1, 0);
	if (ret == -ENODEV)
		SKIP(return, "no BAR in this machine");
	ASSERT_EQ(0, ret);
}

static void free_io(struct _test_data_p2p *self)
{
	if (!self->how.id)
		return;
	ioctl(self->et, ET_FREE, self->how.id);
	close(self->how.fd);
	self->how.id = 0;
}

FIXTURE_TEARDOWN(p2p)
{
	free_io(self);
	close(self->dev);
	close(self->et);
}

static int import(struct _test_data_p2p *self, int fd, unsigned int device)
{
	self->import = (struct et_import) { .fd = fd, .dynamic = ET_P2P, .device = device };
	return ioctl(self->et, ET_IMPORT, &self->import) ? -errno : 0;
}

static int import_once(struct _test_data_p2p *self, int fd, unsigned int device)
{
	int ret = import(self, fd, device);

	return ret ?: ioctl(self->et, ET_UNIMPORT, self->import.id);
}

/* A driver that does not say whose memory it is answers for it. */
TEST_F(p2p, no_provider)
{
	EXPECT_EQ(0, import_once(self, self->how.fd, ET_PLATFORM));
	EXPECT_EQ(0, import_once(self, self->how.fd, ET_BAR));
}

TEST_F(p2p, provider)
{
	free_io(self);
	self->how = (struct et_alloc) {
		.size = SIZE, .kind = ET_IO, .caching = 1, .flags = ET_PROVIDER,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	ASSERT_EQ(0, ioctl(self->et, ET_ALLOC, &self->how));
	EXPECT_EQ(-EOPNOTSUPP, import_once(self, self->how.fd, ET_PLATFORM));
	EXPECT_EQ(to_itself() ? 0 : -EOPNOTSUPP, import_once(self, self->how.fd, ET_BAR));
	EXPECT_EQ(to_itself() ? SIZE : 0, self->import.len);
}

/* The buffer goes there after the importer has come. */
TEST_F(p2p, moves_there)
{
	struct et_move move = { .kind = ET_IO, .caching = 1, .flags = ET_MOVE_PROVIDER,
				.timeout_ms = ET_FOREVER };
	struct et_stats before;

	free_io(self);
	ASSERT_EQ(0, buffer_alloc(self->et, &self->how, ET_PAGES, 0, 0));
	move.id = self->how.id;
	ASSERT_EQ(0, import(self, self->how.fd, ET_PLATFORM));
	before = et_stats(self->et);
	EXPECT_EQ(-1, ioctl(self->et, ET_MOVE, &move));
	EXPECT_EQ(EOPNOTSUPP, errno);
	/* The importer has not been disturbed. */
	EXPECT_EQ(before.invalidates, et_stats(self->et).invalidates);
	EXPECT_EQ(0, ioctl(self->et, ET_UNIMPORT, self->import.id));

	ASSERT_EQ(0, import(self, self->how.fd, ET_BAR));
	EXPECT_EQ(to_itself() ? 0 : -1, ioctl(self->et, ET_MOVE, &move));
	EXPECT_EQ(0, ioctl(self->et, ET_UNIMPORT, self->import.id));
	EXPECT_EQ(0, import_once(self, self->how.fd, ET_BAR));
}

/* The heap says whose its BAR is. */
TEST_F(p2p, heap)
{
	ASSERT_EQ(0, control_alloc(self->dev, "pfnmap", "vram", PMD, &self->buf));
	EXPECT_EQ(-EOPNOTSUPP, import_once(self, self->buf.fd, ET_PLATFORM));
	EXPECT_EQ(through_host_bridge() ? 0 : -EOPNOTSUPP,
		  import_once(self, self->buf.fd, ET_BAR));
	control_free(&self->buf);
}

TEST_F(p2p, heap_moves)
{
	struct dma_buf_exporter_info info;

	ASSERT_EQ(0, control_alloc(self->dev, "pfnmap", NULL, PMD, &self->buf));
	ASSERT_EQ(0, import(self, self->buf.fd, ET_PLATFORM));
	EXPECT_EQ(-EOPNOTSUPP, control_move(self->buf.control, "vram",
					    DMA_BUF_EXPORTER_WAIT, 0));
	ASSERT_EQ(0, control_info(self->buf.control, &info));
	EXPECT_STREQ("system", info.placement);
	EXPECT_EQ(1, info.maps);
	EXPECT_EQ(0, control_move(self->buf.control, "carve", DMA_BUF_EXPORTER_WAIT, 0));
	EXPECT_EQ(0, ioctl(self->et, ET_UNIMPORT, self->import.id));
	EXPECT_EQ(0, control_move(self->buf.control, "vram", DMA_BUF_EXPORTER_WAIT, 0));
	control_free(&self->buf);
}

TEST_HARNESS_MAIN
