// SPDX-License-Identifier: GPL-2.0
/* Command line, and the run over exporters and users. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gup_surface.h"

static const struct family *const families[] = {
	&file_family, &fuse_family, &block_family, &splice_family, &uring_family,
	&net_family, &crypto_family, &rdma_family, &v4l2_family, &vdpa_family,
	&proc_family, &futex_family, &vma_family, &numa_family, &madvise_family,
	&uffd_family,
};

#define NR_FAMILIES ARRAY_SIZE(families)

enum setup { NOT_YET, DONE, FAILED };

static enum setup setups[NR_FAMILIES];
static const char *reasons[NR_FAMILIES];

struct names {
	const char *name[32];
	unsigned int nr;
};

static void add_name(struct names *names, const char *name)
{
	if (names->nr < ARRAY_SIZE(names->name))
		names->name[names->nr++] = name;
}

/* No name given selects all. */
static bool selected(const struct names *names, const char *one, const char *other)
{
	unsigned int i;

	for (i = 0; i < names->nr; i++)
		if (!strcmp(names->name[i], one) || (other && !strcmp(names->name[i], other)))
			return true;
	return !names->nr;
}

static void print_usage(FILE *to)
{
	fprintf(to,
		"usage: gup_surface [--exporter NAME]... [--user NAME]... [--table [--color]]\n"
		"                   [--json FILE] [--dir DIR] [--list]\n"
		"NAME of a user may be that of its family. DIR is on a file system with O_DIRECT\n"
		"(default %s).\n", scratch_dir);
}

static void list(void)
{
	unsigned int i, j;

	for (i = 0; i < nr_exporters; i++)
		printf("exporter: %s\n", exporters[i]->name);
	for (i = 0; i < NR_FAMILIES; i++)
		for (j = 0; j < families[i]->nr; j++)
			printf("user: %s: %s\n", families[i]->name, families[i]->users[j].name);
}

static void build(struct matrix *m, const struct names *exporter, const struct names *user)
{
	unsigned int i, j, nr = 0;

	for (i = 0; i < NR_FAMILIES; i++)
		nr += families[i]->nr;
	m->rows = calloc(nr, sizeof(*m->rows));
	m->exporters = calloc(nr_exporters, sizeof(*m->exporters));
	m->results = calloc((size_t)nr * nr_exporters, sizeof(*m->results));
	if (!m->rows || !m->exporters || !m->results)
		abort();
	for (i = 0; i < nr_exporters; i++)
		if (selected(exporter, exporters[i]->name, NULL))
			m->exporters[m->nr_exporters++] = exporters[i];
	for (i = 0; i < NR_FAMILIES; i++)
		for (j = 0; j < families[i]->nr; j++)
			if (selected(user, families[i]->users[j].name, families[i]->name))
				m->rows[m->nr_rows++] = (struct row){
					families[i], &families[i]->users[j]
				};
}

/* What the family lacks, or NULL. */
static const char *prepare(const struct family *family)
{
	unsigned int i;

	for (i = 0; families[i] != family;)
		i++;
	if (setups[i] == NOT_YET) {
		reasons[i] = family->setup ? family->setup() : NULL;
		setups[i] = reasons[i] ? FAILED : DONE;
	}
	return reasons[i];
}

static void teardown(void)
{
	unsigned int i;

	for (i = 0; i < NR_FAMILIES; i++)
		if (setups[i] != NOT_YET && families[i]->teardown)
			families[i]->teardown();
	unload_modules();
}

/* Ours has to conform; of others, what they do is the finding. */
static void report_cell(const struct exporter *e, const struct row *row, const struct result *r)
{
	const struct expect *want = expected(row->user);
	struct result w = { .kind = want->kind, .value = want->value };

	if (r->kind == SKIPPED)
		ksft_test_result_skip("%s: %s: %s: %s\n", e->name, row->family->name,
				      row->user->name, r->text);
	else if (!e->ours)
		ksft_test_result(strcmp(r->text, BUFFER_LOST), "%s: %s: %s: %s\n", e->name,
				 row->family->name, row->user->name, result_name(r));
	else if (conforms(row->user, r))
		ksft_test_result_pass("%s: %s: %s: %s\n", e->name, row->family->name,
				      row->user->name, result_name(r));
	else
		ksft_test_result_fail("%s: %s: %s: %s, expected %s\n", e->name, row->family->name,
				      row->user->name, result_name(r), result_name(&w));
}

static void run_exporter(const struct matrix *m, unsigned int index, bool ktap)
{
	struct exporter *e = m->exporters[index];
	const char *reason, *lacks;
	unsigned int i;

	e->fd = -1;
	e->aux = -1;
	reason = e->open(e);
	if (!reason) {
		e->watch = watch_buffer(e);
		if (!e->watch)
			reason = missing("cannot map it: %s", strerrorname_np(errno));
	}
	for (i = 0; i < m->nr_rows; i++) {
		struct result *r = matrix_at(m, index, i);

		lacks = reason ? reason : prepare(m->rows[i].family);
		*r = lacks ? skipped("%s", lacks) : run_cell(e, m->rows[i].user);
		if (ktap)
			report_cell(e, &m->rows[i], r);
	}
	if (e->watch)
		munmap(e->watch, e->size);
	if (e->fd < 0)
		return;
	close(e->fd);
	if (e->aux >= 0)
		close(e->aux);
	if (e->close)
		e->close(e);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "exporter", required_argument, NULL, 'e' },
		{ "user", required_argument, NULL, 'u' },
		{ "table", no_argument, NULL, 't' },
		{ "color", no_argument, NULL, 'c' },
		{ "json", required_argument, NULL, 'j' },
		{ "dir", required_argument, NULL, 'd' },
		{ "list", no_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{}
	};
	bool table = false, color = isatty(STDOUT_FILENO);
	struct names exporter = {}, user = {};
	const char *json = NULL;
	struct matrix m = {};
	unsigned int i;
	int opt;

	while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (opt) {
		case 'e':
			add_name(&exporter, optarg);
			break;
		case 'u':
			add_name(&user, optarg);
			break;
		case 't':
			table = true;
			break;
		case 'c':
			color = true;
			break;
		case 'j':
			json = optarg;
			break;
		case 'd':
			scratch_dir = optarg;
			break;
		case 'l':
			list();
			return 0;
		default:
			print_usage(opt == 'h' ? stdout : stderr);
			return opt == 'h' ? 0 : 2;
		}
	}

	build(&m, &exporter, &user);
	if (!m.nr_exporters || !m.nr_rows) {
		fprintf(stderr, "gup_surface: no such exporter or user (see --list)\n");
		return 2;
	}
	if (!table) {
		ksft_print_header();
		ksft_set_plan(m.nr_exporters * m.nr_rows);
	}
	for (i = 0; i < m.nr_exporters; i++)
		run_exporter(&m, i, !table);
	teardown();

	if (table)
		report_table(&m, color);
	if (json && report_json(&m, json)) {
		perror(json);
		return 1;
	}
	if (!table)
		ksft_finished();
	return 0;
}
