// SPDX-License-Identifier: GPL-2.0
/*
 * A buffer as the memory of a virtual machine. KVM maps what get_user_pages()
 * refuses through the page table entries themselves: it wants one that is
 * writable after a write fault, and on older kernels a reference on the page
 * behind it, which the tail of a block does not give.
 *
 * The machine runs a few instructions in real mode, whose segments may begin
 * anywhere.
 */
#include <linux/kvm.h>

#include "util.h"
#include "harness.h"

/* Two blocks of a PMD, one of 1 MiB, one of 8 and one of 4 KiB. */
#define SIZE	(2 * PMD + PMD / 2 + 3 * PAGE)
#define GPA	(512 * PMD)

/* What the machine runs: ds:[0] to ds:[2] with something added. */
static const unsigned char code_read_write[] = {
	0xa1, 0x00, 0x00,		/* mov ax, [0] */
	0x05, 0x11, 0x11,		/* add ax, 0x1111 */
	0xa3, 0x02, 0x00,		/* mov [2], ax */
	0xf4,				/* hlt */
};

/* 1.0 to ds:[2], by an instruction that KVM cannot emulate for the machine. */
static const unsigned char code_write[] = {
	0xd9, 0xe8,			/* fld1 */
	0xd9, 0x1e, 0x02, 0x00,		/* fstp dword [2] */
	0xf4,				/* hlt */
};

static const unsigned char code_read[] = {
	0xa1, 0x00, 0x00,		/* mov ax, [0] */
	0xf4,				/* hlt */
};

/* Where in the buffer: starts and ends of blocks, and their middles. */
static const size_t offsets[] = {
	0, PAGE, 3 * PAGE, PMD / 2, PMD - PAGE, PMD, PMD + 5 * PAGE,
	2 * PMD, 2 * PMD + 7 * PAGE, 2 * PMD + PMD / 2, 2 * PMD + PMD / 2 + PAGE,
	SIZE - PAGE,
};

/**
 * struct machine - a virtual machine of one processor
 * @kvm: /dev/kvm
 * @vm: the machine
 * @vcpu: its processor
 * @run: what KVM shares about it
 * @run_size: length of that
 * @code: guest page 0
 * @fd: the buffer, at guest address GPA
 * @mem: the mapping of it that KVM has: never touched by ourselves
 * @view: another mapping
 */
struct machine {
	int kvm, vm, vcpu;
	struct kvm_run *run;
	size_t run_size;
	char *code;
	int fd;
	char *mem, *view;
};

FIXTURE(kvm) {
	struct machine m;
};

FIXTURE_VARIANT(kvm) {
	size_t misalign;
};

FIXTURE_VARIANT_ADD(kvm, aligned) {
	.misalign = 0,
};

FIXTURE_VARIANT_ADD(kvm, misaligned) {
	.misalign = PAGE,
};

/* 0 or -errno. */
static int set_region(int vm, unsigned int slot, __u64 gpa, void *mem, size_t size)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)mem,
	};

	return ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) ? -errno : 0;
}

/* A mapping of @fd at @misalign from a PMD, or MAP_FAILED. */
static char *map_at(int fd, size_t misalign, int prot)
{
	return mmap(reserve(SIZE, misalign), SIZE, prot, MAP_SHARED | MAP_FIXED, fd, 0);
}

FIXTURE_SETUP(kvm)
{
	struct machine *m = &self->m;

	m->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (m->kvm < 0)
		SKIP(return, "/dev/kvm (%s): a processor with vmx or svm", strerror(errno));
	ASSERT_EQ(KVM_API_VERSION, ioctl(m->kvm, KVM_GET_API_VERSION, 0));
	m->vm = ioctl(m->kvm, KVM_CREATE_VM, 0);
	ASSERT_GE(m->vm, 0);

	m->code = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	ASSERT_NE(MAP_FAILED, m->code);
	ASSERT_EQ(0, set_region(m->vm, 0, 0, m->code, PAGE));

	m->vcpu = ioctl(m->vm, KVM_CREATE_VCPU, 0);
	ASSERT_GE(m->vcpu, 0);
	m->run_size = ioctl(m->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	m->run = mmap(NULL, m->run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		      m->vcpu, 0);
	ASSERT_NE(MAP_FAILED, m->run);
}

FIXTURE_TEARDOWN(kvm)
{
	struct machine *m = &self->m;

	munmap(m->run, m->run_size);
	close(m->vcpu);
	close(m->vm);
	close(m->kvm);
	if (m->mem)
		munmap(m->mem, SIZE);
	if (m->view)
		munmap(m->view, SIZE);
	if (m->fd > 0)
		close(m->fd);
	EXPECT_EQ(0, live_buffers());
}

/* Gives the machine a buffer of @heap; false with errno set. */
static bool give_buffer(struct machine *m, const char *heap, size_t misalign)
{
	m->fd = heap_alloc(heap, SIZE, O_RDWR | O_CLOEXEC);
	if (m->fd < 0)
		return false;
	m->mem = map_at(m->fd, misalign, PROT_READ | PROT_WRITE);
	m->view = map_at(m->fd, 0, PROT_READ | PROT_WRITE);
	return m->mem != MAP_FAILED && m->view != MAP_FAILED &&
	       !set_region(m->vm, 1, GPA, m->mem, SIZE);
}

/* Takes it back. */
static void take_buffer(struct machine *m)
{
	set_region(m->vm, 1, GPA, m->mem, 0);
	munmap(m->mem, SIZE);
	munmap(m->view, SIZE);
	close(m->fd);
	m->mem = NULL;
	m->view = NULL;
	m->fd = 0;
}

/*
 * Runs @size bytes of @code with ds at guest address @ds. Returns the reason
 * why the machine stopped, KVM_EXIT_HLT when it came to the end, or -errno.
 */
static int run_code(struct machine *m, const void *code, size_t size, __u64 ds)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs = { .rflags = 2 };

	memcpy(m->code, code, size);
	if (ioctl(m->vcpu, KVM_GET_SREGS, &sregs))
		return -errno;
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	sregs.ds.base = ds;
	if (ioctl(m->vcpu, KVM_SET_SREGS, &sregs) ||
	    ioctl(m->vcpu, KVM_SET_REGS, &regs))
		return -errno;
	if (ioctl(m->vcpu, KVM_RUN, 0))
		return -errno;
	return m->run->exit_reason;
}

#define RUN(m, code, ds)	run_code(m, code, sizeof(code), ds)

static __u16 get16(const char *p)
{
	return __atomic_load_n((__u16 *)p, __ATOMIC_RELAXED);
}

static void put16(char *p, __u16 value)
{
	__atomic_store_n((__u16 *)p, value, __ATOMIC_RELAXED);
}

/* Has code_write been run here? */
static bool written(const char *p)
{
	return get16(p + 4) == 0x3f80;
}

/* Both directions, the machine reading first: an entry made by a read fault. */
TEST_F(kvm, read_then_write)
{
	ASSERT_TRUE(give_buffer(&self->m, "pfnmap", variant->misalign));
	for (int i = 0; i < ARRAY_SIZE(offsets); i++) {
		char *at = self->m.view + offsets[i];

		put16(at, 0x1000 + i);
		ASSERT_EQ(KVM_EXIT_HLT, RUN(&self->m, code_read_write, GPA + offsets[i])) {
			TH_LOG("offset %zx", offsets[i]);
		}
		ASSERT_EQ(0x2111 + i, get16(at + 2));
		/* And once more, with everything in place. */
		put16(at, 0x3000 + i);
		ASSERT_EQ(KVM_EXIT_HLT, RUN(&self->m, code_read_write, GPA + offsets[i]));
		ASSERT_EQ(0x4111 + i, get16(at + 2));
	}
}

/* The machine's write is the first access there is to the mapping. */
TEST_F(kvm, write_first)
{
	for (int i = 0; i < ARRAY_SIZE(offsets); i++) {
		ASSERT_TRUE(give_buffer(&self->m, "pfnmap", variant->misalign));
		ASSERT_EQ(KVM_EXIT_HLT, RUN(&self->m, code_write, GPA + offsets[i])) {
			TH_LOG("offset %zx", offsets[i]);
		}
		ASSERT_TRUE(written(self->m.view + offsets[i]));
		take_buffer(&self->m);
		ASSERT_EQ(0, live_buffers());
	}
}

/*
 * Whoever tracks writes (CRIU does) has the mapping write-protected, and the
 * core makes its entries so: the one that a write fault leaves must be writable
 * all the same, for KVM gives up on another.
 */
TEST_F(kvm, write_tracked)
{
	struct machine *m = &self->m;
	int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);

	for (int i = 0; i < ARRAY_SIZE(offsets); i++) {
		ASSERT_TRUE(give_buffer(m, "pfnmap", variant->misalign));
		if (write(fd, "4", 1) != 1)
			SKIP(return, "soft-dirty tracking: %s", strerror(errno));
		ASSERT_EQ(KVM_EXIT_HLT, RUN(m, code_write, GPA + offsets[i])) {
			TH_LOG("offset %zx", offsets[i]);
		}
		ASSERT_TRUE(written(m->view + offsets[i]));
		take_buffer(m);
	}
	close(fd);
}

/* And the next page, after the fault on its neighbour. */
TEST_F(kvm, write_tracked_neighbours)
{
	struct machine *m = &self->m;
	int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);

	ASSERT_TRUE(give_buffer(m, "pfnmap", variant->misalign));
	if (write(fd, "4", 1) != 1)
		SKIP(return, "soft-dirty tracking: %s", strerror(errno));
	for (int i = 0; i < ARRAY_SIZE(offsets); i++) {
		EXPECT_EQ(KVM_EXIT_HLT, RUN(m, code_write, GPA + offsets[i])) {
			TH_LOG("offset %zx", offsets[i]);
		}
	}
	close(fd);
}

/* Every page there is, in one machine. */
TEST_F(kvm, every_page)
{
	ASSERT_TRUE(give_buffer(&self->m, "pfnmap", variant->misalign));
	for (size_t off = 0; off < SIZE; off += PAGE) {
		put16(self->m.view + off, off / PAGE);
		ASSERT_EQ(KVM_EXIT_HLT, RUN(&self->m, code_read_write, GPA + off)) {
			TH_LOG("offset %zx", off);
		}
		ASSERT_EQ(0x1111 + off / PAGE, get16(self->m.view + off + 2));
	}
}

/* The machine runs code that lies in the buffer. */
TEST_F(kvm, runs_from_buffer)
{
	ASSERT_TRUE(give_buffer(&self->m, "pfnmap", variant->misalign));
	for (int i = 0; i < ARRAY_SIZE(offsets); i++) {
		struct kvm_regs regs = { .rflags = 2 };
		struct kvm_sregs sregs;

		memcpy(self->m.view + offsets[i] + 64, code_read_write,
		       sizeof(code_read_write));
		put16(self->m.view + offsets[i], i);
		ASSERT_EQ(0, ioctl(self->m.vcpu, KVM_GET_SREGS, &sregs));
		sregs.cs.base = GPA + offsets[i] + 64;
		sregs.cs.selector = 0;
		sregs.ds.base = GPA + offsets[i];
		ASSERT_EQ(0, ioctl(self->m.vcpu, KVM_SET_SREGS, &sregs));
		ASSERT_EQ(0, ioctl(self->m.vcpu, KVM_SET_REGS, &regs));
		ASSERT_EQ(0, ioctl(self->m.vcpu, KVM_RUN, 0)) {
			TH_LOG("offset %zx: %s", offsets[i], strerror(errno));
		}
		ASSERT_EQ(KVM_EXIT_HLT, self->m.run->exit_reason);
		ASSERT_EQ(0x1111 + i, get16(self->m.view + offsets[i] + 2));
	}
}

/*
 * KVM holds the mapping, not the memory: with the mapping goes the machine's
 * access, and the buffer with its last file, though the machine lives on.
 */
TEST_F(kvm, unmapped_is_gone)
{
	ASSERT_TRUE(give_buffer(&self->m, "pfnmap", variant->misalign));
	ASSERT_EQ(KVM_EXIT_HLT, RUN(&self->m, code_write, GPA + PMD));
	ASSERT_TRUE(written(self->m.view + PMD));
	memset(self->m.view, 0, SIZE);

	munmap(self->m.mem, SIZE);
	self->m.mem = NULL;
	EXPECT_NE(KVM_EXIT_HLT, RUN(&self->m, code_write, GPA + PMD));
	EXPECT_FALSE(written(self->m.view + PMD));

	munmap(self->m.view, SIZE);
	self->m.view = NULL;
	close(self->m.fd);
	self->m.fd = 0;
	EXPECT_EQ(0, live_buffers());
}

/* A read-only buffer: the machine reads it and cannot write it. */
TEST_F(kvm, read_only_buffer)
{
	self->m.fd = heap_alloc("pfnmap", SIZE, O_RDONLY | O_CLOEXEC);
	ASSERT_GE(self->m.fd, 0);
	self->m.mem = map_at(self->m.fd, variant->misalign, PROT_READ);
	ASSERT_NE(MAP_FAILED, self->m.mem);
	ASSERT_EQ(0, set_region(self->m.vm, 1, GPA, self->m.mem, SIZE));
	for (int i = 0; i < ARRAY_SIZE(offsets); i++) {
		ASSERT_EQ(KVM_EXIT_HLT, RUN(&self->m, code_read, GPA + offsets[i])) {
			TH_LOG("offset %zx", offsets[i]);
		}
		EXPECT_NE(KVM_EXIT_HLT, RUN(&self->m, code_write, GPA + offsets[i]));
		EXPECT_FALSE(written(self->m.mem + offsets[i]));
	}
}

/* How the system heap fares is a fact of the kernel, told and not judged. */
TEST_F(kvm, system_heap)
{
	int worked = 0;

	if (access("/dev/dma_heap/system", F_OK))
		SKIP(return, "no /dev/dma_heap/system");
	ASSERT_TRUE(give_buffer(&self->m, "system", variant->misalign));
	for (int i = 0; i < ARRAY_SIZE(offsets); i++) {
		put16(self->m.view + offsets[i], i);
		worked += RUN(&self->m, code_read_write, GPA + offsets[i]) == KVM_EXIT_HLT &&
			  get16(self->m.view + offsets[i] + 2) == 0x1111 + i;
	}
	TH_LOG("the system heap: %d of %zu places work", worked, ARRAY_SIZE(offsets));
}

/*
 * One machine stays while the tests make and drop theirs: the first and the
 * last one switch virtualisation and static branches of the scheduler.
 */
int main(int argc, char **argv)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int vm = ioctl(kvm, KVM_CREATE_VM, 0);

	ioctl(vm, KVM_CREATE_VCPU, 0);
	return test_harness_run(argc, argv);
}
