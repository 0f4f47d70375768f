# SPDX-License-Identifier: GPL-2.0
# What torture is made of; paths are relative to this directory.
TORTURE_SOURCES := \
	main.c \
	actor.c \
	buffers.c \
	copies.c \
	edu.c \
	forks.c \
	guard.c \
	imports.c \
	library.c \
	movers.c \
	moves.c \
	paths.c \
	places.c \
	report.c \
	slots.c \
	storm.c \
	sweep.c \
	takers.c \
	views.c \
	watch.c \
	worker.c
