/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "iprefctl/mapping.h"

#include "iprefctl/render.h"

static const char *
text(const json_t *row, const char *key)
{
	const char *s = json_string_value(json_object_get(row, key));

	return s ? s : "-";
}

static void
duration(const json_t *row, const char *key, char *buf, size_t size)
{
	const json_t *seconds = json_object_get(row, key);

	if (json_is_integer(seconds))
		render_duration(
			(uint64_t)json_integer_value(seconds), buf, size);
	else
		snprintf(buf, size, "never");
}

/* Who made it, and why. */
static const char *
maker(const json_t *row)
{
	const char *cause = json_string_value(json_object_get(row, "cause"));

	if (json_is_true(json_object_get(row, "tentative")))
		return "mapper: tentative, for packets that have arrived";
	if (json_is_true(json_object_get(row, "listed")))
		return text(row, "owner");
	if (!cause)
		return "mapper: for packets that left";
	return *cause == 'r' ? "mapper: asked for by a resolver"
			     : "mapper: for packets that have arrived";
}

void
mapping_print(FILE *out, const json_t *row)
{
	const char *ea = json_string_value(json_object_get(row, "ea"));
	char age[64], ends[64], ipref[256], made[160];
	json_t *shown;

	duration(row, "age_seconds", age, sizeof(age));
	duration(row, "expires_seconds", ends, sizeof(ends));
	snprintf(ipref, sizeof(ipref), "%s + %s", text(row, "gw"),
		text(row, "ref"));
	snprintf(made, sizeof(made), "%s ago, change %" JSON_INTEGER_FORMAT,
		age, json_integer_value(json_object_get(row, "revision")));
	fprintf(out, "%s: a %s\n", ea ? ea : text(row, "ip"),
		ea ? "remote host's address here" : "host of this network");
	shown = json_pack("{s:s, s:s, s:s, s:s, s:s}",
		ea ? "stands for" : "known as", ipref, "name",
		text(row, "name"), "owner", maker(row), "made", made,
		json_is_null(json_object_get(row, "expires_seconds"))
			? "ends"
			: "ends in",
		ends);
	render_object(out, shown, 2);
	json_decref(shown);
}
