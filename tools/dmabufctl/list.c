// SPDX-License-Identifier: GPL-2.0
/* dmabufctl list: the live buffers, and who holds each. */
#include <stdio.h>
#include <stdlib.h>

#include "dmabufctl.h"

static const char * const kinds[] = {
	[HOLDER_FD] = "dma-buf",
	[HOLDER_CONTROL] = "control",
	[HOLDER_MAPPING] = "mapping",
};

static void list_json(const struct table *table, unsigned int row,
		      const struct holders *holders)
{
	uint64_t id = strtoull(table_get(table, row, "ino"), NULL, 10);

	json_open(NULL, '{');
	for (unsigned int i = 0; i < table->columns; i++)
		if (table->cells[row][i])
			json_word(table->names[i], table->cells[row][i]);
	json_open("holders", '[');
	for (size_t i = 0; i < holders->n; i++) {
		const struct holder *h = &holders->list[i];

		if (h->id != id)
			continue;
		json_open(NULL, '{');
		json_string("kind", kinds[h->kind]);
		json_number("pid", h->pid);
		json_string("comm", h->comm);
		json_number(h->kind == HOLDER_MAPPING ? "mappings" : "fd", h->fd);
		json_close('}');
	}
	json_close(']');
	json_close('}');
}

static void list_holder(const struct holder *h)
{
	/* What other processes are called must not reach the terminal as it is. */
	printf("    %-8s ", kinds[h->kind]);
	if (h->kind == HOLDER_MAPPING)
		printf("%d (", h->pid);
	else
		printf("%d:%d (", h->pid, h->fd);
	for (const char *c = h->comm; *c; c++)
		putchar(*c >= ' ' && *c < 0x7f ? *c : '?');
	if (h->kind == HOLDER_MAPPING && h->fd > 1)
		printf(", %d times", h->fd);
	printf(")\n");
}

static void list_human(const struct table *table, unsigned int row,
		       const struct holders *holders)
{
	uint64_t id = strtoull(table_get(table, row, "ino"), NULL, 10);

	printf("%-8s %-16s %12s %-4s %-12s %7s %5s %6s %5s %-9s\n",
	       table_get(table, row, "ino"), table_get(table, row, "exporter"),
	       table_get(table, row, "size"), table_get(table, row, "mode"),
	       table_get(table, row, "placement"), table_get(table, row, "extents"),
	       table_get(table, row, "pins"), table_get(table, row, "attachments"),
	       table_get(table, row, "moves"), table_get(table, row, "state"));
	for (size_t i = 0; i < holders->n; i++)
		if (holders->list[i].id == id)
			list_holder(&holders->list[i]);
}

int cmd_list(const struct options *options, int argc, char **argv)
{
	struct holders holders;
	struct table table;
	int ret;

	(void)argv;
	if (argc)
		return usage();
	ret = table_read(&table);
	if (ret)
		return ret;
	ret = holders_find(&holders);
	if (ret) {
		table_free(&table);
		return ret;
	}

	if (options->json)
		json_open(NULL, '[');
	else
		printf("%-8s %-16s %12s %-4s %-12s %7s %5s %6s %5s %-9s\n", "BUFFER",
		       "EXPORTER", "BYTES", "MODE", "PLACEMENT", "PIECES", "PINS", "ATTACH",
		       "MOVES", "STATE");
	for (unsigned int row = 0; row < table.rows; row++) {
		if (options->json)
			list_json(&table, row, &holders);
		else
			list_human(&table, row, &holders);
	}
	if (options->json)
		json_close(']');
	holders_free(&holders);
	table_free(&table);
	return STATUS_OK;
}
