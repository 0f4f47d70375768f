// SPDX-License-Identifier: GPL-2.0
/* Where the heap can put a buffer: everywhere that this machine has. */
#include "torture.h"

#define MAX_NODES	8

static void place_add(const char *name)
{
	int ret;

	if (!*name || w->nr_placements == MAX_PLACEMENTS)
		return;
	ret = place_probe(name);
	if (ret)
		say("no placement %s: %s", name, strerror(-ret));
	else
		snprintf(w->placements[w->nr_placements++], sizeof(w->placements[0]), "%s",
			 name);
}

/* Each entry of the list up to its first colon. */
static void places_of_list(char *list)
{
	char *entry;

	while ((entry = strsep(&list, ",\n"))) {
		entry[strcspn(entry, ":")] = 0;
		place_add(entry);
	}
}

/* Those that a parameter of the heap names, "(null)" if it is not set. */
static void places_of_parameter(const char *path)
{
	char line[512] = "";
	FILE *f = fopen(path, "re");

	if (!f)
		return;
	if (fgets(line, sizeof(line), f) && line[0] != '(')
		places_of_list(line);
	fclose(f);
}

/* Those of the names given, or all there are. */
void places_init(const char *names)
{
	char name[16], *list;

	if (place_probe("system") == -ENOENT) {
		say("the control device knows no heap: exporter_test only");
		return;
	}
	if (names) {
		list = strdup(names);
		places_of_list(list);
		free(list);
		return;
	}
	place_add("system");
	for (unsigned int node = 0; node < MAX_NODES; node++) {
		snprintf(name, sizeof(name), "node%u", node);
		if (!place_probe(name))
			place_add(name);
	}
	places_of_parameter("/sys/module/pfnmap_heap/parameters/carveout");
	places_of_parameter("/sys/module/pfnmap_heap/parameters/bar");
}
