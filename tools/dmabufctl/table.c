// SPDX-License-Identifier: GPL-2.0
/*
 * The table of live buffers in debugfs: a line of column names, and one a buffer.
 * A kernel may have more columns than this program knows of.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dmabufctl.h"

#define TABLE	"/sys/kernel/debug/dma_buf_exporter/buffers"

/* All of a file that does not know its size; NULL with errno. */
static char *read_all(const char *path)
{
	FILE *f = fopen(path, "re");
	size_t n = 0, room = 0;
	char *text = NULL, *more;

	if (!f)
		return NULL;
	do {
		room = 2 * room + 4096;
		more = realloc(text, room);
		if (!more)
			break;
		text = more;
		n += fread(text + n, 1, room - n - 1, f);
	} while (n == room - 1);
	if (!more || ferror(f)) {
		free(text);
		text = NULL;
	} else {
		text[n] = '\0';
	}
	fclose(f);
	return text;
}

static unsigned int split(char *line, char **words)
{
	unsigned int n = 0;
	char *save;

	for (char *word = strtok_r(line, " ", &save); word && n < TABLE_COLUMNS;
	     word = strtok_r(NULL, " ", &save))
		words[n++] = word;
	return n;
}

int table_read(struct table *table)
{
	char *line, *save;

	*table = (struct table) { .text = read_all(TABLE) };
	if (!table->text)
		return fail("list: %s: %s (is the module loaded, debugfs mounted, and this root?)",
			    TABLE, strerror(errno));
	for (line = strtok_r(table->text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		void *cells;

		if (!table->columns) {
			table->columns = split(line, table->names);
			continue;
		}
		cells = realloc(table->cells, (table->rows + 1) * sizeof(*table->cells));
		if (!cells) {
			table_free(table);
			return fail("list: %s", strerror(ENOMEM));
		}
		table->cells = cells;
		memset(table->cells[table->rows], 0, sizeof(*table->cells));
		split(line, table->cells[table->rows++]);
	}
	return STATUS_OK;
}

void table_free(struct table *table)
{
	free(table->cells);
	free(table->text);
}

/* "-" for what the kernel did not say. */
const char *table_get(const struct table *table, unsigned int row, const char *column)
{
	for (unsigned int i = 0; i < table->columns; i++)
		if (!strcmp(table->names[i], column))
			return table->cells[row][i] ?: "-";
	return "-";
}
