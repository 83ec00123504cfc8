/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iprefctl why: why packets of an address pass or don't, on one page.
 *
 * mapperd is asked who it is, then gwd about each mapping that it names; an
 * address for which it names none, or that it can't be asked about, is asked of
 * gwd as it was given. What one of the two can't say is left out, and said.
 */
#include <stdio.h>
#include <string.h>

#include "iprefctl/iprefctl.h"
#include "iprefctl/mapping.h"
#include "iprefctl/render.h"
#include "iprefctl/verdict.h"

#define SUBJECTS_MAX 16 /* mappings of one name or host */

struct page {
	const struct iprefctl *ctl;
	struct who who;
	const char *mapperd, *gwd; /* why it does not answer; NULL: it does */
	json_t *subjects; /* objects: mapping, gwd, works, verdict; owned */
	bool works;	  /* all of them */
	bool more;	  /* than SUBJECTS_MAX */
};

static const char *
text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "-";
}

/* --- asking --------------------------------------------------------------- */

static bool
why_target(char target[ARGS_TARGET_MAX], const struct who *who,
	const json_t *mapping)
{
	const char *ea = json_string_value(json_object_get(mapping, "ea"));
	const char *gw = who->what, *ref = who->ref;

	snprintf(target, ARGS_TARGET_MAX, "/why");
	if (ea || (!mapping && who->kind == WHO_ADDRESS))
		return args_query(target, "address", ea ? ea : who->what);
	if (mapping) {
		gw = text(mapping, "gw");
		ref = text(mapping, "ref");
	}
	return args_query(target, "gw", gw) && args_query(target, "ref", ref);
}

/* mapping: borrowed; NULL: none. */
static void
add_subject(struct page *p, json_t *mapping)
{
	bool by_name = p->who.kind == WHO_NAME;
	char target[ARGS_TARGET_MAX], words[VERDICT_TEXT_MAX];
	const struct verdict *v;
	json_t *why = NULL;
	struct found f;

	if ((mapping || !by_name) && why_target(target, &p->who, mapping))
		why = iprefctl_get(p->ctl, "gwd", target, &p->gwd);
	f = (struct found){!p->mapperd, !p->gwd, by_name, mapping, why};
	v = verdict_find(verdict_facts(&f));
	verdict_text(v, &f, words);
	p->works = p->works && v->works;
	(void)json_array_append_new(p->subjects,
		json_pack("{s:O?, s:o?, s:b, s:s}", "mapping", mapping, "gwd",
			why, "works", v->works, "verdict", words));
}

static void
ask(struct page *p, const char *target)
{
	json_t *found = iprefctl_get(p->ctl, "mapperd", target, &p->mapperd);
	json_t *row;
	size_t i;

	json_array_foreach (found, i, row)
		if (i < SUBJECTS_MAX)
			add_subject(p, row);
	p->more = json_array_size(found) > SUBJECTS_MAX;
	if (!json_array_size(found))
		add_subject(p, NULL);
	json_decref(found);
}

/* --- showing -------------------------------------------------------------- */

static void
put(json_t *o, const char *key, json_t *value)
{
	(void)json_object_set_new(o, key, value);
}

static void
put_ago(json_t *o, const char *name, const json_t *from, const char *key)
{
	char buf[64];

	put(o, name,
		json_string(render_ago(json_object_get(from, key), "never", buf,
			sizeof(buf))));
}

static json_t *
shown_error(const json_t *error)
{
	char ago[64];

	if (!json_is_object(error))
		return json_string("none");
	return json_sprintf("%s, %s", text(error, "error"),
		render_ago(json_object_get(error, "seconds"), "-", ago,
			sizeof(ago)));
}

static json_t *
shown_gateway(const json_t *why)
{
	const json_t *peer = json_object_get(why, "peer");
	json_t *o = json_object();

	put(o, "address", json_string(text(why, "gateway")));
	if (!json_is_object(peer)) {
		put(o, "state", json_string("no packet to or from it"));
		return o;
	}
	json_object_set(o, "port", json_object_get(peer, "port"));
	json_object_set(o, "state", json_object_get(peer, "state"));
	put_ago(o, "last packet from it", peer, "heard_seconds");
	put_ago(o, "last packet to it", peer, "sent_seconds");
	put_ago(o, "last of a host", peer, "used_seconds");
	json_object_set(o, "path MTU", json_object_get(peer, "path_mtu"));
	put(o, "path error", shown_error(json_object_get(peer, "path_error")));
	return o;
}

/* "10.1.2.3", or with a reference. */
static void
end_text(const json_t *drop, const char *addr, const char *ref, char buf[128])
{
	if (json_object_get(drop, ref))
		snprintf(
			buf, 128, "%s + %s", text(drop, addr), text(drop, ref));
	else
		snprintf(buf, 128, "%s", text(drop, addr));
}

static json_t *
shown_drop(const json_t *drop)
{
	char from[128], to[128], ago[64], since[64];

	end_text(drop, "from", "from_ref", from);
	end_text(drop, "to", "to_ref", to);
	render_ago(json_object_get(drop, "seconds"), "-", ago, sizeof(ago));
	render_ago(json_object_get(drop, "since_seconds"), "-", since,
		sizeof(since));
	return json_pack("{s:s, s:s, s:o, s:o}", "reason", text(drop, "reason"),
		"meaning", text(drop, "help"), "packet",
		json_sprintf("%s, from %s to %s, %" JSON_INTEGER_FORMAT
			     " bytes",
			text(drop, "direction"), from, to,
			json_integer_value(json_object_get(drop, "bytes"))),
		"when",
		json_sprintf("%s (%" JSON_INTEGER_FORMAT " since %s)", ago,
			json_integer_value(json_object_get(drop, "count")),
			since));
}

static const char *
held_text(const json_t *mapping, const json_t *why)
{
	const json_t *held = json_object_get(why, "mapping");
	const struct found f = {.mapping = mapping, .why = why};

	if (!json_is_object(held))
		return "not there";
	if (!json_is_object(mapping))
		return "there";
	return verdict_facts(&f) & FACT_SAME ? "the same" : "another one";
}

static void
print_gwd(const json_t *mapping, const json_t *why)
{
	const json_t *held = json_object_get(why, "mapping"), *drop;
	json_t *o = json_object();
	char key[64];
	size_t i;

	put(o, "in gwd", json_string(held_text(mapping, why)));
	if (json_is_object(held) && !json_is_object(mapping))
		put(o, "which is",
			json_sprintf("%s = %s + %s",
				json_object_get(held, "ea") ? text(held, "ea")
							    : text(held, "ip"),
				text(held, "gw"), text(held, "ref")));
	if (json_is_string(json_object_get(why, "gateway")))
		put(o, "gateway", shown_gateway(why));
	json_array_foreach (json_object_get(why, "drops"), i, drop) {
		snprintf(key, sizeof(key), "last drop about the %s%s",
			text(drop, "about"),
			strcmp(text(drop, "direction"), "out")
				? " (from the tunnel)"
				: " (into the tunnel)");
		put(o, key, shown_drop(drop));
	}
	render_object(stdout, o, 2);
	json_decref(o);
}

static void
print_subject(const struct page *p, const json_t *subject)
{
	const json_t *mapping = json_object_get(subject, "mapping");
	const json_t *why = json_object_get(subject, "gwd");

	if (json_is_object(mapping))
		mapping_print(stdout, mapping);
	else
		printf("%s: %s\n", p->who.text,
			p->mapperd ? "mapperd can't be asked"
				   : "no mapping in mapperd");
	if (json_is_object(why))
		print_gwd(mapping, why);
	printf("%s\n", text(subject, "verdict"));
}

static void
print_page(const struct page *p)
{
	const json_t *subject;
	size_t i;

	if (p->mapperd)
		printf("mapperd: %s\n", p->mapperd);
	if (p->gwd)
		printf("gwd: %s\n", p->gwd);
	json_array_foreach (p->subjects, i, subject) {
		if (i)
			putchar('\n');
		print_subject(p, subject);
	}
	if (p->more)
		printf("\nThere are more: see iprefctl lookup %s\n",
			p->who.text);
}

int
cmd_why(const struct iprefctl *ctl, const struct args *args)
{
	struct page p = {.ctl = ctl, .works = true};
	char target[ARGS_TARGET_MAX], error[ARGS_ERROR_MAX];

	if (!args_lookup(target, args->n, args->operands, error) ||
		!args_who(&p.who, args->n, args->operands, error)) {
		iprefctl_error("why: %s", error);
		return EXIT_USAGE;
	}
	p.subjects = json_array();
	ask(&p, target);
	if (ctl->json)
		iprefctl_put_json(json_pack("{s:s, s:b, s:s?, s:s?, s:O}",
			"why", p.who.text, "works", p.works, "mapperd_error",
			p.mapperd, "gwd_error", p.gwd, "subjects", p.subjects));
	else
		print_page(&p);
	json_decref(p.subjects);
	return p.works ? EXIT_DONE : EXIT_ABSENT;
}
