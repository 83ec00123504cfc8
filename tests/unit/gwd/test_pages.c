/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page of peers, of which there may be many. */
#include "gwd/pages.h"

#include "gwd/gwd.h"
#include "tests/unit/gwd/ctl_rig.h"

#define PEERS	 16384
#define PORTIONS 128 /* at least, of that many */

static struct endpoint
nth(uint32_t i)
{
	return (struct endpoint){{4, {198, (uint8_t)(18 + (i >> 16)),
					     (uint8_t)(i >> 8), (uint8_t)i}},
		1045};
}

static void
hear(struct gwd *g, uint32_t from, uint32_t n)
{
	struct endpoint e;
	uint32_t i;

	for (i = from; i < from + n; i++) {
		e = nth(i);
		peers_heard(g->peers, &e, NULL, 100, now_ms());
	}
}

static void
start(struct gwd *g, struct ctl_rig *rig, size_t max)
{
	const struct conf_list empty = {0};
	const struct peer_conf_lists none = {
		.peer = &empty, .allow = &empty, .deny = &empty, .ver = 4};
	char why[128];

	*g = (struct gwd){0};
	ck_assert_int_eq(
		peer_confs_init(&g->confs, &none, why, sizeof(why)), 0);
	g->peers = peers_new(max, 1045);
	g->paths = paths_new(max, PATHS_LOWEST_V4, 1500);
	ck_assert(g->peers && g->paths);
	peers_configure(g->peers, &g->confs, now_ms());
	ctl_rig_start(rig);
	pages_start(rig->ctl, g);
}

static void
stop(struct gwd *g, struct ctl_rig *rig)
{
	ctl_rig_stop(rig);
	paths_free(g->paths);
	peers_free(g->peers);
	peer_confs_fini(&g->confs);
}

/* The rows of an answer, the caller's; each address is there once. */
static json_t *
rows_of(const struct client *c)
{
	json_t *rows = json_loads(c->text, 0, NULL), *seen = json_object(),
	       *row;
	const char *addr;
	size_t i;

	ck_assert_int_eq(c->rc, 0);
	ck_assert_int_eq(c->status, 200);
	ck_assert(json_is_array(rows));
	json_array_foreach (rows, i, row) {
		addr = json_string_value(json_object_get(row, "address"));
		ck_assert_ptr_nonnull(addr);
		ck_assert_ptr_null(json_object_get(seen, addr));
		json_object_set_new(seen, addr, json_true());
	}
	json_decref(seen);
	return rows;
}

START_TEST(test_none)
{
	struct ctl_rig rig;
	struct client c;
	struct gwd g;
	json_t *rows;

	start(&g, &rig, 16);
	client_start(&c, &rig, "GET", "/peers", 0);
	client_end(&rig, &c);
	rows = rows_of(&c);
	ck_assert_uint_eq(json_array_size(rows), 0);
	json_decref(rows);
	free(c.text);
	stop(&g, &rig);
}
END_TEST

/* All of them, and between portions the loop has other turns. */
START_TEST(test_many)
{
	struct ctl_rig rig;
	struct client c;
	struct gwd g;
	json_t *rows;

	start(&g, &rig, PEERS);
	hear(&g, 0, PEERS);
	ck_assert_uint_ge(peers_count(g.peers), PEERS * 7 / 8);
	client_start(&c, &rig, "GET", "/peers", 0);
	client_end(&rig, &c);
	rows = rows_of(&c);
	ck_assert_uint_eq(json_array_size(rows), peers_count(g.peers));
	ck_assert_uint_ge(rig.turns, PORTIONS);
	json_decref(rows);
	free(c.text);
	stop(&g, &rig);
}
END_TEST

/* Others come while it is read: those that were there all the time are there
 * once, nobody twice. */
START_TEST(test_changes)
{
	struct ctl_rig rig;
	struct client c;
	uint32_t next = 4096;
	struct gwd g;
	json_t *rows;

	start(&g, &rig, PEERS);
	hear(&g, 0, next);
	client_start(&c, &rig, "GET", "/peers", 0);
	while (!c.done) {
		rig_turn(&rig);
		if (c.lines && next < 2 * PEERS) {
			hear(&g, next, 64);
			next += 64;
		}
	}
	client_end(&rig, &c);
	rows = rows_of(&c);
	ck_assert_uint_le(json_array_size(rows), 4096);
	ck_assert_uint_gt(json_array_size(rows), 0);
	json_decref(rows);
	free(c.text);
	stop(&g, &rig);
}
END_TEST

RUN_TESTS("pages", test_none, test_many, test_changes)
