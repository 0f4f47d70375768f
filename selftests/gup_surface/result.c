// SPDX-License-Identifier: GPL-2.0
/* Outcomes of a cell, and whether they are what is asked of an exporter. */
#include <stdarg.h>
#include <sys/utsname.h>

#include "gup_surface.h"

struct result refused(int err)
{
	return (struct result){ .kind = REFUSED, .value = err };
}

struct result taken(void)
{
	return (struct result){ .kind = TAKEN };
}

struct result works(void)
{
	return (struct result){ .kind = WORKS };
}

struct result odd(const char *fmt, ...)
{
	struct result r = { .kind = ODD };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r.text, sizeof(r.text), fmt, ap);
	va_end(ap);
	return r;
}

struct result skipped(const char *fmt, ...)
{
	struct result r = { .kind = SKIPPED };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r.text, sizeof(r.text), fmt, ap);
	va_end(ap);
	return r;
}

const char *result_name(const struct result *r)
{
	const char *name;

	switch (r->kind) {
	case REFUSED:
		name = strerrorname_np(r->value);
		return name ? name : "E?";
	case TAKEN:
		return "taken";
	case WORKS:
		return "works";
	case ODD:
		return r->text;
	case SKIPPED:
		return "-";
	case HUNG:
		return "hangs";
	case DIED:
		name = sigabbrev_np(r->value);
		return name ? name : "died";
	}
	return "?";
}

unsigned int kernel_version(void)
{
	static unsigned int version;
	unsigned int major = 0, minor = 0;
	struct utsname uts;

	if (!version) {
		uname(&uts);
		if (sscanf(uts.release, "%u.%u", &major, &minor) != 2)
			major = 0;
		version = KVER(major, minor);
	}
	return version;
}

const struct expect *expected(const struct user *user)
{
	const struct expect *e = user->expect;
	unsigned int i;

	for (i = 1; i < MAX_EXPECT; i++)
		if (user->expect[i].since && user->expect[i].since <= kernel_version())
			e = &user->expect[i];
	return e;
}

bool conforms(const struct user *user, const struct result *result)
{
	const struct expect *e = expected(user);

	return result->kind == e->kind &&
		(e->kind != REFUSED || result->value == e->value);
}
