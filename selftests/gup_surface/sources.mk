# SPDX-License-Identifier: GPL-2.0
# What gup_surface is made of; paths are relative to this directory. The
# including Makefile adds the kernel's tools/testing/selftests to the include
# path, for kselftest.h.
GUP_SURFACE_SOURCES := \
	main.c \
	cell.c \
	env.c \
	exporters.c \
	exporters_drm.c \
	pattern.c \
	report.c \
	result.c \
	users_block.c \
	users_crypto.c \
	users_file.c \
	users_fuse.c \
	users_futex.c \
	users_madvise.c \
	users_net.c \
	users_numa.c \
	users_proc.c \
	users_rdma.c \
	users_splice.c \
	users_uffd.c \
	users_uring.c \
	users_v4l2.c \
	users_vdpa.c \
	users_vma.c

GUP_SURFACE_CFLAGS := -std=gnu11 -D_GNU_SOURCE
GUP_SURFACE_LDLIBS := -libverbs -luring -lnuma
