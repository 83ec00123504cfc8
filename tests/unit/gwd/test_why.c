/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whom the page /why takes an IPREF address for, with a public address and
 * without one. */
#include "gwd/why.h"

#include "gwd/gwd.h"
#include "tests/unit/gwd/ctl_rig.h"
#include "tests/unit/gwd/worker_rig.h"

struct asking {
	struct rig rig;
	struct ctl_rig ctl;
	struct gwd g;
};

static void
start(struct asking *a, const struct addr *public)
{
	const struct endpoint e = {peer, 1045};
	const struct msg_entry theirs = remote(&known, 7);
	const struct msg_entry ours = {.flags = MSG_ENTRY_LISTED,
		.arec = {.ip = listed, .ref = ref_from_u64(9)}};

	rig_init(&a->rig, 1500);
	peers_heard(a->rig.peers, &e, NULL, 100, now_ms());
	a->g = (struct gwd){
		.set = a->rig.set,
		.confs = a->rig.confs,
		.maps = maps_new(public, 16),
		.peers = a->rig.peers,
		.paths = a->rig.paths,
		.worker = a->rig.worker,
		.feed = a->rig.feed,
	};
	a->g.set.pub = *public;
	ck_assert_int_eq(maps_set(a->g.maps, &theirs), 0);
	ck_assert_int_eq(maps_set(a->g.maps, &ours), 0);
	ctl_rig_start(&a->ctl);
	why_start(a->ctl.ctl, &a->g);
}

static void
stop(struct asking *a)
{
	ctl_rig_stop(&a->ctl);
	maps_free(a->g.maps);
	rig_fini(&a->rig);
}

static json_t *
ask(struct asking *a, const char *query)
{
	char target[160];
	struct client c;
	json_t *why;

	snprintf(target, sizeof(target), "/why?%s", query);
	client_start(&c, &a->ctl, "GET", target, 0);
	client_end(&a->ctl, &c);
	ck_assert_int_eq(c.rc, 0);
	ck_assert_int_eq(c.status, 200);
	why = json_loads(c.text, 0, NULL);
	ck_assert_ptr_nonnull(why);
	free(c.text);
	return why;
}

struct row {
	const char *query;
	bool self, own;
	const char *kind;    /* of the mapping; NULL: none */
	const char *gateway; /* NULL: none */
};

static const char *
text(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static void
check(struct asking *a, const struct row *row)
{
	json_t *why = ask(a, row->query);
	const json_t *map = json_object_get(why, "mapping");

	ck_assert_msg(json_is_true(json_object_get(why, "self")) == row->self,
		"%s: self", row->query);
	ck_assert_msg(
		json_is_true(json_object_get(why, "own_context")) == row->own,
		"%s: own_context", row->query);
	ck_assert_msg(json_is_object(map) == (row->kind != NULL), "%s: mapping",
		row->query);
	if (row->kind)
		ck_assert_pstr_eq(text(map, "kind"), row->kind);
	ck_assert_pstr_eq(text(why, "gateway"), row->gateway);
	json_decref(why);
}

START_TEST(test_public_address)
{
	static const struct row rows[] = {
		{"gw=192.0.2.1&ref=1", true, true, NULL, NULL},
		{"gw=192.0.2.1&ref=9", false, true, "local", NULL},
		{"gw=192.0.2.1&ref=10", false, true, NULL, NULL},
		{"gw=127.0.0.2&ref=7", false, false, "remote", "127.0.0.2"},
		{"gw=127.0.0.2&ref=1", false, false, NULL, "127.0.0.2"},
		{"gw=127.0.0.2&ref=9", false, false, NULL, "127.0.0.2"},
		{"gw=0.0.0.0&ref=9", false, false, NULL, NULL},
		{"address=10.240.0.1", true, false, NULL, NULL},
		{"address=192.0.2.1", true, false, NULL, NULL},
		{"address=127.0.0.2", false, false, NULL, "127.0.0.2"},
		{"address=192.168.84.10", false, false, "local", NULL},
	};
	struct asking a;
	size_t i;

	start(&a, &pub);
	for (i = 0; i < ARRAY_LEN(rows); i++)
		check(&a, &rows[i]);
	stop(&a);
}
END_TEST

/* Our hosts are known with zeros then; another gateway's with the same
 * reference are not ours. */
START_TEST(test_no_public_address)
{
	static const struct row rows[] = {
		{"gw=0.0.0.0&ref=1", true, true, NULL, NULL},
		{"gw=0.0.0.0&ref=9", false, true, "local", NULL},
		{"gw=127.0.0.2&ref=7", false, false, "remote", "127.0.0.2"},
		{"gw=127.0.0.2&ref=1", false, false, NULL, "127.0.0.2"},
		{"gw=127.0.0.2&ref=9", false, false, NULL, "127.0.0.2"},
		{"gw=203.0.113.9&ref=9", false, false, NULL, "203.0.113.9"},
		{"address=0.0.0.0", false, false, NULL, NULL},
	};
	const struct addr zero = addr_zero(4);
	struct asking a;
	size_t i;

	start(&a, &zero);
	for (i = 0; i < ARRAY_LEN(rows); i++)
		check(&a, &rows[i]);
	stop(&a);
}
END_TEST

RUN_TESTS("why", test_public_address, test_no_public_address)
