/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The texts of drop reasons, from proto/drops.def. */
#include "gwd/core.h"

static const struct {
	const char *label, *help;
} drops[DROP_N] = {
	[DROP_NONE] = {"none", "not dropped"},
#define DROP(name, text, meaning) [DROP_##name] = {text, meaning},
#include "proto/drops.def"
#undef DROP
};

const char *
drop_label(enum drop d)
{
	return (unsigned)d < DROP_N ? drops[d].label : "unknown";
}

const char *
drop_help(enum drop d)
{
	return (unsigned)d < DROP_N ? drops[d].help : "not a reason";
}
