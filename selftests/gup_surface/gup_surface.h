/* SPDX-License-Identifier: GPL-2.0 */
/*
 * gup_surface: every way by which user space can make the kernel take the
 * pages behind an address (a "user"), tried on the mmap of a dma-buf of every
 * exporter there is. One try is a cell of the matrix.
 */
#ifndef GUP_SURFACE_H
#define GUP_SURFACE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include "kselftest.h"

/* The part of a buffer that users transfer; all of it holds the pattern. */
#define WINDOW ((size_t)64 << 10)

/* What is asked of an exporter: two PMDs, so huge entries are tried as well. */
#define BUFFER_SIZE ((size_t)4 << 20)

enum kind {
	REFUSED,	/* value: errno */
	TAKEN,		/* the kernel got at the pages, and the data was right */
	WORKS,		/* as it would on any memory, or a harmless no-op */
	ODD,		/* text says what */
	SKIPPED,	/* text says what is missing */
	HUNG,
	DIED,		/* value: signal */
};

struct result {
	enum kind kind;
	int value;
	char text[80];
};

struct result refused(int err);
struct result taken(void);
struct result works(void);
struct result odd(const char *fmt, ...) __printf(1, 2);
struct result skipped(const char *fmt, ...) __printf(1, 2);
const char *result_name(const struct result *r);

#define KVER(major, minor) (((major) << 16) | (minor))
unsigned int kernel_version(void);

/* What a conforming exporter gives from kernel @since on. */
struct expect {
	unsigned int since;
	enum kind kind;
	int value;
};

#define EXPECT_REFUSED(err) { { .kind = REFUSED, .value = (err) } }
#define EXPECT_WORKS { { .kind = WORKS } }

/* A cell under way; it lives in a process of its own. */
struct cell {
	int fd;			/* the dma-buf */
	size_t size;
	unsigned char *map;	/* shared and writable; a user may move it */
	long arg;		/* of the user */
};

/* The user overwrites the window when it is not refused. */
#define USER_CHANGES_DATA	0x1
/* The mapping must not have been faulted in before. */
#define USER_UNTOUCHED		0x2

#define MAX_EXPECT 2

struct user {
	const char *name;
	struct result (*try)(struct cell *cell);
	long arg;
	unsigned int flags;
	struct expect expect[MAX_EXPECT];	/* ascending @since */
};

struct family {
	const char *name;
	const struct user *users;
	unsigned int nr;
	/* Returns what is missing, or NULL; called once, before any cell. */
	const char *(*setup)(void);
	void (*teardown)(void);
};

extern const struct family file_family, fuse_family, splice_family, uring_family;
extern const struct family net_family, crypto_family, rdma_family, v4l2_family;
extern const struct family block_family, vdpa_family, proc_family, futex_family;
extern const struct family vma_family, numa_family, madvise_family, uffd_family;

struct exporter {
	const char *name;
	bool ours;
	/* Sets fd and size; returns what is missing, or NULL. */
	const char *(*open)(struct exporter *exporter);
	void (*close)(struct exporter *exporter);
	const char *arg;
	int fd;
	size_t size;
	unsigned char *watch;	/* see watch_buffer() */
	int aux;	/* a descriptor that keeps the buffer alive */
	int instance;	/* of vivid */
	long nr_hugepages;	/* to be restored */
};

extern struct exporter *const exporters[];
extern const unsigned int nr_exporters;

const char *heap_open(struct exporter *exporter);
const char *udmabuf_open(struct exporter *exporter);
const char *udmabuf_hugetlb_open(struct exporter *exporter);
void udmabuf_hugetlb_close(struct exporter *exporter);
const char *drm_open(struct exporter *exporter);
const char *vivid_open(struct exporter *exporter);

/* pattern.c: what a buffer holds before every cell */
void pattern_fill(unsigned char *map, size_t size);
bool pattern_window_ok(const void *data, size_t len);
bool pattern_rest_ok(const unsigned char *map, size_t size);
void inverse_fill(void *data, size_t len);
bool inverse_ok(const void *data, size_t len);
void *anon_buffer(size_t len);

/* cell.c */
#define BUFFER_LOST "buffer lost"
struct result run_cell(const struct exporter *exporter, const struct user *user);
unsigned char *watch_buffer(const struct exporter *exporter);

/* env.c: what a test may need of the system */
int run(const char *const argv[]);
const char *missing(const char *fmt, ...) __printf(1, 2);
const char *load_module(const char *name, const char *param);
void unload_modules(void);
long read_long(const char *path);
int write_string(const char *path, const char *value);
int scratch_file(int flags);
extern const char *scratch_dir;

/* users_vma.c: bits of /proc/self/smaps */
bool vma_flag(const void *addr, const char *flag);
long vma_rss(const void *addr);

/* users_v4l2.c: /dev/videoN of the vivid instance, -1 if there is none */
#define VIVID_VMALLOC	0
#define VIVID_CONTIG	1
#define VIVID_USERPTR	2
const char *vivid_load(void);
int vivid_device(int instance);

/* users_net.c: a connected pair of loopback TCP sockets */
int tcp_pair(int sk[2]);

/* users_splice.c: tells without side effects whether GUP gets at @addr */
bool gup_refused(void *addr);

/* report.c */
enum color { COLOR_GOOD, COLOR_BAD, COLOR_DIM };

struct row {
	const struct family *family;
	const struct user *user;
};

struct matrix {
	struct exporter **exporters;
	unsigned int nr_exporters;
	struct row *rows;
	unsigned int nr_rows;
	struct result *results;	/* [exporter][row] */
};

const struct expect *expected(const struct user *user);
bool conforms(const struct user *user, const struct result *result);
struct result *matrix_at(const struct matrix *m, unsigned int exporter, unsigned int row);
void report_table(const struct matrix *m, bool color);
int report_json(const struct matrix *m, const char *path);

#endif
