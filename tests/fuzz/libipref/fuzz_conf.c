/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The settings file: whatever its text is, values stay within their rules, a
 * refused text changes nothing, and a text that was taken is taken again
 * without a change. Done by reloading, which is silent when the log is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libipref/common.h"
#include "libipref/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libconfig loses a string at a syntax error; conf_file.c says so. */
const char *
__lsan_default_suppressions(void)
{
	return "leak:libconfig.so\n";
}

struct settings {
	struct common_conf common;
	bool flag;
	uint64_t port, clamped, wide;
	char *text;
	struct endpoint endpoint;
	struct conf_list list, whole;
};

#define OFF(field) offsetof(struct settings, field)

static const struct conf_row rows[] = {
	{"flag", CONF_BOOL, OFF(flag), .flags = CONF_RELOAD},
	{"port", CONF_UINT, OFF(port), 1, 65535, .def = "1045",
		.flags = CONF_RELOAD},
	{"clamped", CONF_UINT, OFF(clamped), 1, 10080, .def = "60",
		.flags = CONF_CLAMP | CONF_RELOAD},
	{"wide", CONF_UINT, OFF(wide), .flags = CONF_RELOAD},
	{"text", CONF_STRING, OFF(text), .flags = CONF_RELOAD},
	{"endpoint", CONF_ENDPOINT, OFF(endpoint), .flags = CONF_RELOAD},
	{"list", CONF_LIST, OFF(list), .flags = CONF_RELOAD},
	{"whole", CONF_LIST, OFF(whole), .flags = CONF_RELOAD | CONF_NO_COMMA},
	{"old", CONF_NOTHING, .arg = "N"},
};

static const char *
check(const void *settings)
{
	return common_check((struct common_conf *)settings, false);
}

static struct conf conf;
static struct settings settings;
static int file = -1;

static void
set_up(void)
{
	static struct conf_table tables[] = {
		{"gwd", rows, ARRAY_LEN(rows)}, {0}};
	static const struct conf_spec spec = {.program = "gwd",
		.tables = tables,
		.n_tables = ARRAY_LEN(tables),
		.size = sizeof(settings),
		.check = check};
	static char path[64];
	static char *argv[] = {"gwd", "-config", path, NULL};

	tables[1] = common_table;
	/* No line has so low a level. */
	log_init("gwd", (enum log_level)0, false);
	file = memfd_create("conf", MFD_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	if (file < 0 || conf_load(&conf, &spec, &settings, 3, argv) != CONF_RUN)
		abort();
}

static void
check_values(void)
{
	size_t i;

	if (settings.port < 1 || settings.port > 65535 ||
		settings.clamped < 1 || settings.clamped > 10080 ||
		settings.common.log_level < 3 ||
		settings.common.log_level > 7 ||
		prefix_host_bits(&settings.common.encode_net) < 13)
		abort();
	for (i = 0; i < settings.list.n; i++)
		if (!settings.list.v[i])
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct settings before;

	if (file < 0)
		set_up();
	before = settings;
	if (ftruncate(file, 0) || pwrite(file, data, size, 0) != (ssize_t)size)
		abort();
	if (conf_reload(&conf)) {
		if (memcmp(&before, &settings, sizeof(settings)) != 0)
			abort();
		return 0;
	}
	check_values();
	before = settings;
	if (conf_reload(&conf) ||
		memcmp(&before, &settings, sizeof(settings)) != 0)
		abort();
	return 0;
}
