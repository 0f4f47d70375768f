// SPDX-License-Identifier: GPL-2.0
/* dmabufctl: commands and options. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dmabufctl.h"

static const char help[] =
"usage: dmabufctl [OPTION...] COMMAND\n"
"  list                            live buffers, and who holds them\n"
"  info PID:FD | FD                what a buffer is made of\n"
"  move PID:FD PLACEMENT           give it memory elsewhere\n"
"  compact PID:FD                  the same place, fewer pieces\n"
"  revoke PID:FD                   take its memory away for good\n"
"  alloc SOURCE SIZE [PLACEMENT]   hold a buffer until stdin ends\n"
"PID:FD is a control handle, or for info a dma-buf, in another process.\n"
"  --policy wait|revoke|block      what to do about a buffer in use (wait)\n"
"  --timeout MS                    how long to wait for its users (5000)\n"
"  --json                          print JSON\n";

static const struct command {
	const char *name;
	int (*run)(const struct options *options, int argc, char **argv);
} commands[] = {
	{ "list", cmd_list },
	{ "info", cmd_info },
	{ "move", cmd_move },
	{ "compact", cmd_compact },
	{ "revoke", cmd_revoke },
	{ "alloc", cmd_alloc },
};

int fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fprintf(stderr, "dmabufctl: ");
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	return STATUS_FAILED;
}

int usage(void)
{
	fputs(help, stderr);
	return STATUS_USAGE;
}

static bool parse_policy(const char *s, uint32_t *policy)
{
	static const char * const names[] = {
		[DMA_BUF_EXPORTER_WAIT] = "wait",
		[DMA_BUF_EXPORTER_REVOKE_PINS] = "revoke",
		[DMA_BUF_EXPORTER_BLOCK] = "block",
	};

	for (uint32_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(s, names[i]))
			continue;
		*policy = i;
		return true;
	}
	return false;
}

static bool parse_timeout(const char *s, uint32_t *ms)
{
	unsigned long n;
	char *end;

	if (*s < '0' || *s > '9')
		return false;
	errno = 0;
	n = strtoul(s, &end, 10);
	*ms = n;
	return !errno && !*end && *ms == n;
}

int main(int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "policy", required_argument, NULL, 'p' },
		{ "timeout", required_argument, NULL, 't' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{},
	};
	struct options options = { .timeout_ms = 5000 };
	int opt, ret;

	/* An option may stand anywhere. */
	while ((opt = getopt_long(argc, argv, "", longopts, NULL)) >= 0) {
		switch (opt) {
		case 'p':
			if (!parse_policy(optarg, &options.policy))
				return usage();
			break;
		case 't':
			if (!parse_timeout(optarg, &options.timeout_ms))
				return usage();
			break;
		case 'j':
			options.json = true;
			break;
		case 'h':
			fputs(help, stdout);
			return STATUS_OK;
		default:
			return STATUS_USAGE;
		}
	}
	argc -= optind;
	argv += optind;
	for (size_t i = 0; argc && i < ARRAY_SIZE(commands); i++) {
		if (strcmp(argv[0], commands[i].name))
			continue;
		ret = commands[i].run(&options, argc - 1, argv + 1);
		if (fflush(stdout) || ferror(stdout))
			ret = fail("stdout: %s", strerror(errno));
		return ret;
	}
	return usage();
}
