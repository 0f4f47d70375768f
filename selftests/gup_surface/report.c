// SPDX-License-Identifier: GPL-2.0
/* The matrix for people (a table) and for programs (JSON). */
#include <errno.h>

#include "gup_surface.h"

#define NAME_WIDTH 31
#define CELL_WIDTH 14

static const char *const colors[] = {
	[COLOR_GOOD] = "\033[32m",
	[COLOR_BAD] = "\033[31m",
	[COLOR_DIM] = "\033[2m",
};

struct result *matrix_at(const struct matrix *m, unsigned int exporter, unsigned int row)
{
	return &m->results[exporter * m->nr_rows + row];
}

static void put(const char *text, int width, enum color color, bool colored)
{
	if (colored)
		printf(" %s%-*s\033[0m", colors[color], width, text);
	else
		printf(" %-*s", width, text);
}

static void report_row(const struct matrix *m, unsigned int row, bool color)
{
	const struct user *user = m->rows[row].user;
	const struct expect *e = expected(user);
	struct result want = { .kind = e->kind, .value = e->value };
	unsigned int i;

	printf("  %-*s", NAME_WIDTH, user->name);
	put(result_name(&want), 8, COLOR_DIM, color);
	for (i = 0; i < m->nr_exporters; i++) {
		const struct result *r = matrix_at(m, i, row);
		enum color c = r->kind == SKIPPED ? COLOR_DIM :
			conforms(user, r) ? COLOR_GOOD : COLOR_BAD;

		put(result_name(r), CELL_WIDTH, c, color);
	}
	printf("\n");
}

static void report_sum(const struct matrix *m, bool color)
{
	unsigned int i, j;

	printf("%-*s", NAME_WIDTH + 2 + 9, "cells conforming/total");
	for (i = 0; i < m->nr_exporters; i++) {
		unsigned int good = 0, total = 0;
		char text[32];

		for (j = 0; j < m->nr_rows; j++) {
			const struct result *r = matrix_at(m, i, j);

			total += r->kind != SKIPPED;
			good += r->kind != SKIPPED && conforms(m->rows[j].user, r);
		}
		snprintf(text, sizeof(text), "%u/%u", good, total);
		put(text, CELL_WIDTH,
		    !total ? COLOR_DIM : good == total ? COLOR_GOOD : COLOR_BAD, color);
	}
	printf("\n");
}

void report_table(const struct matrix *m, bool color)
{
	const struct family *family = NULL;
	unsigned int i;

	printf("%-*s %-8s", NAME_WIDTH + 2, "", "expected");
	for (i = 0; i < m->nr_exporters; i++)
		printf(" %-*s", CELL_WIDTH, m->exporters[i]->name);
	printf("\n");
	for (i = 0; i < m->nr_rows; i++) {
		if (m->rows[i].family != family) {
			family = m->rows[i].family;
			printf("%s\n", family->name);
		}
		report_row(m, i, color);
	}
	report_sum(m, color);
}

/* None of the texts has a character to escape. */
static void json_cell(FILE *f, const struct exporter *e, const struct row *row,
		      const struct result *r)
{
	const struct expect *expect = expected(row->user);
	struct result want = { .kind = expect->kind, .value = expect->value };

	fprintf(f, "{\"exporter\": \"%s\", \"family\": \"%s\", ", e->name, row->family->name);
	fprintf(f, "\"user\": \"%s\", \"expected\": \"%s\", ", row->user->name,
		result_name(&want));
	if (r->kind == SKIPPED)
		fprintf(f, "\"result\": \"skipped\", \"conforming\": null, \"reason\": \"%s\"}",
			r->text);
	else
		fprintf(f, "\"result\": \"%s\", \"conforming\": %s}", result_name(r),
			conforms(row->user, r) ? "true" : "false");
}

int report_json(const struct matrix *m, const char *path)
{
	const char *separator = "[\n";
	FILE *f = fopen(path, "we");
	unsigned int i, j;

	if (!f)
		return -errno;
	for (i = 0; i < m->nr_exporters; i++) {
		for (j = 0; j < m->nr_rows; j++) {
			fputs(separator, f);
			json_cell(f, m->exporters[i], &m->rows[j], matrix_at(m, i, j));
			separator = ",\n";
		}
	}
	fprintf(f, "\n]\n");
	return fclose(f) ? -errno : 0;
}
