/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Start lines of the deployed gateway: each option, in each form. */
#include "tests/unit/options.h"

#include "mapperd/settings.h"

static struct conf_table tables[3];

START_TEST(test_forms)
{
	struct option_rig r = {.user = FOR_MAPPERD};

	mapperd_conf_spec(&r.spec, tables);
	options_check_forms(&r);
}
END_TEST

START_TEST(test_help)
{
	struct option_rig r = {.user = FOR_MAPPERD};

	mapperd_conf_spec(&r.spec, tables);
	options_check_help(&r);
}
END_TEST

RUN_TESTS("mapperd options", test_forms, test_help)
