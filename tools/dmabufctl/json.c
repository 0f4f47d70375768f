// SPDX-License-Identifier: GPL-2.0
/* JSON on stdout, one value after the other. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

#include "dmabufctl.h"

/* Something stands before the next value of the innermost bracket. */
static bool json_comma;
static unsigned int json_depth;

/* Names of processes are bytes: what is not ASCII is taken for Latin 1. */
static void json_quoted(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		unsigned char c = *s;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void json_key(const char *key)
{
	if (json_comma)
		putchar(',');
	if (json_depth && json_comma)
		putchar(' ');
	json_comma = true;
	if (key) {
		json_quoted(key);
		printf(": ");
	}
}

void json_open(const char *key, char bracket)
{
	json_key(key);
	putchar(bracket);
	json_comma = false;
	json_depth++;
}

void json_close(char bracket)
{
	putchar(bracket);
	json_comma = true;
	if (--json_depth)
		return;
	putchar('\n');
	json_comma = false;
}

void json_string(const char *key, const char *value)
{
	json_key(key);
	json_quoted(value);
}

void json_number(const char *key, uint64_t value)
{
	json_key(key);
	printf("%" PRIu64, value);
}

/* A number if it looks like one. */
void json_word(const char *key, const char *value)
{
	const char *p = value;

	while (isdigit((unsigned char)*p))
		p++;
	/* A number of JSON has no leading zero. */
	if (p == value || *p || (*value == '0' && value[1])) {
		json_string(key, value);
		return;
	}
	json_key(key);
	printf("%s", value);
}
