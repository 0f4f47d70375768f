/* SPDX-License-Identifier: GPL-2.0 */
/* dmabufctl: look at the dma-bufs of the exporter library, move and revoke them. */
#ifndef _DMABUFCTL_H
#define _DMABUFCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/dma-buf-exporter.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

enum {
	STATUS_OK,
	STATUS_FAILED,
	STATUS_USAGE,
};

/**
 * struct options - what all commands may be told
 * @json: print JSON
 * @policy: DMA_BUF_EXPORTER_WAIT, and so on
 * @timeout_ms: how long to wait for others
 */
struct options {
	bool json;
	uint32_t policy;
	uint32_t timeout_ms;
};

/* main.c: one line on stderr; returns STATUS_FAILED */
int fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int usage(void);

/* target.c */

/**
 * struct target - a descriptor a user named
 * @name: as they did
 * @fd: ours, of the same file
 */
struct target {
	const char *name;
	int fd;
};

int target_open(struct target *target, const char *name);
void target_close(struct target *target);
int control_open(void);
int file_of_process(int pid, int fd);

/* info.c */
int info_get(int fd, struct dma_buf_exporter_info *info);
void info_print(const struct dma_buf_exporter_info *info, const struct options *options);
int cmd_info(const struct options *options, int argc, char **argv);

/* actions.c */
int cmd_move(const struct options *options, int argc, char **argv);
int cmd_compact(const struct options *options, int argc, char **argv);
int cmd_revoke(const struct options *options, int argc, char **argv);
int cmd_alloc(const struct options *options, int argc, char **argv);

/* table.c */

#define TABLE_COLUMNS	32

/**
 * struct table - the live buffers, as debugfs has them
 * @columns: how many there are
 * @names: what they are called
 * @rows: how many buffers
 * @cells: their values, or NULL in a row that ends early
 * @text: what all of these point into
 */
struct table {
	unsigned int columns;
	char *names[TABLE_COLUMNS];
	unsigned int rows;
	char *(*cells)[TABLE_COLUMNS];
	char *text;
};

int table_read(struct table *table);
void table_free(struct table *table);
const char *table_get(const struct table *table, unsigned int row, const char *column);

/* holders.c */

enum holder_kind {
	HOLDER_FD,	/* a descriptor of the dma-buf */
	HOLDER_CONTROL,	/* a control handle */
	HOLDER_MAPPING,	/* a mapping */
};

/**
 * struct holder - a process that keeps a buffer alive
 * @id: the buffer
 * @pid: the process
 * @comm: its name
 * @kind: how it does so
 * @fd: by which descriptor; for a mapping how many there are
 */
struct holder {
	uint64_t id;
	int pid;
	char comm[32];
	enum holder_kind kind;
	int fd;
};

struct holders {
	size_t n;
	struct holder *list;
};

int holders_find(struct holders *holders);
void holders_free(struct holders *holders);

/* list.c */
int cmd_list(const struct options *options, int argc, char **argv);

/* json.c: keys are NULL in an array */
void json_open(const char *key, char bracket);
void json_close(char bracket);
void json_string(const char *key, const char *value);
void json_number(const char *key, uint64_t value);
void json_word(const char *key, const char *value);

#endif
