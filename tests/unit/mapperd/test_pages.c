/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /mappings and /sources as operators read them, and their orders. */
#include "pages_rig.h"
#include "tests/unit/run.h"

#define HOSTS 3000

/* How often each reference is in the page. */
static void
count_refs(const json_t *rows, unsigned seen[], size_t n)
{
	const json_t *row;
	struct ref ref;
	size_t i, k;

	json_array_foreach (rows, i, row) {
		const char *text = member(row, "ref");

		ck_assert(ref_parse(&ref, text, strlen(text)));
		k = (size_t)ref.b[14] << 8 | ref.b[15];
		ck_assert_uint_lt(k, n);
		seen[k]++;
	}
}

START_TEST(test_all_of_them)
{
	static struct pages_rig p;
	unsigned seen[HOSTS + 256] = {0}, i;
	char ea[ADDR_TEXT_MAX];
	struct addr addr;
	json_t *rows, *row;

	pages_init(&p);
	rows = pages_json(&p, "/mappings");
	ck_assert_uint_eq(json_array_size(rows), 0);
	json_decref(rows);
	addr = pages_make(&p, 1, 255, "\"quoted\\name\".example.");
	for (i = 256; i < 256 + HOSTS; i++)
		(void)pages_make(&p, 1, i, NULL);
	p.rig.now += 5000;
	rows = pages_json(&p, "/mappings");
	ck_assert_uint_eq(json_array_size(rows), HOSTS + 1);
	count_refs(rows, seen, ARRAY_LEN(seen));
	for (i = 255; i < 256 + HOSTS; i++)
		ck_assert_uint_eq(seen[i], 1);
	row = json_array_get(rows, 0);
	ck_assert_str_eq(member(row, "kind"), "remote");
	ck_assert_str_eq(member(row, "ea"), addr_format(&addr, ea));
	ck_assert_str_eq(member(row, "gw"), "203.0.113.1");
	ck_assert_str_eq(member(row, "name"), "\"quoted\\name\".example.");
	ck_assert_str_eq(member(row, "owner"), "mapper");
	ck_assert_str_eq(member(row, "cause"), "resolver");
	ck_assert(json_is_false(json_object_get(row, "listed")));
	ck_assert_int_eq(
		json_integer_value(json_object_get(row, "age_seconds")), 5);
	ck_assert_int_eq(
		json_integer_value(json_object_get(row, "expires_seconds")),
		14395);
	json_decref(rows);
	pages_fini(&p);
}
END_TEST

/* While it is read mappings come and go: what stays is in it once. */
START_TEST(test_changes_meanwhile)
{
	static struct pages_rig p;
	struct addr eas[HOSTS];
	unsigned seen[2 * HOSTS + 256] = {0}, i;
	struct answer_text a = {0};
	char *body;
	json_t *rows;
	int fd;

	pages_init(&p);
	for (i = 0; i < HOSTS; i++)
		eas[i] = pages_make(&p, 1, 256 + i, NULL);
	fd = pages_ask(&p, "GET", "/mappings");
	LOOP_UNTIL(p.daemon.base, (answer_read(&a, fd), a.len > 0));
	ck_assert(!a.end);
	for (i = 0; i < HOSTS; i += 2) {
		struct entry *e = entries_by_ea(
			mapper_entries(rig_mapper(&p.rig)), &eas[i]);

		entries_del(mapper_entries(rig_mapper(&p.rig)), e);
		(void)pages_make(&p, 2, 256 + HOSTS + i, NULL);
		if (i % 64 == 0) {
			loop_round(p.daemon.base);
			answer_read(&a, fd);
		}
	}
	body = answer_end(&p, &a, fd, 200);
	rows = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_msg(rows != NULL, "%s", body);
	count_refs(rows, seen, ARRAY_LEN(seen));
	for (i = 0; i < HOSTS; i++)
		if (i % 2)
			ck_assert_uint_eq(seen[256 + i], 1);
	for (i = 0; i < ARRAY_LEN(seen); i++)
		ck_assert_uint_le(seen[i], 1);
	json_decref(rows);
	free(body);
	pages_fini(&p);
}
END_TEST

START_TEST(test_filters)
{
	static const struct {
		const char *query;
		size_t n;
	} cases[] = {
		{"owner=mapper", 3},
		{"owner=tentative", 0},
		{"owner=hosts", 0},
		{"owner=int.test:a", 4},
		{"name=www.example", 1},
		{"name=WWW.Example.", 1},
		{"name=example", 0},
		{"name=*.example", 2},
		{"name=*.www.example", 0},
		{"address=203.0.113.1", 2},
		{"address=203.0.113.0/24", 3},
		{"address=192.168.7.0/24", 4},
		{"address=192.168.7.2", 1},
		{"address=192.0.2.1", 4},
		{"host=192.0.2.1", 0},
		{"host=192.168.7.3", 1},
		{"gw=192.0.2.1", 4},
		{"gw=203.0.113.2&ref=256", 1},
		{"ref=2", 1},
		{"ref=0-2", 1},
		{"tentative=1", 0},
		{"tentative=0", 7},
		{"owner=mapper&address=203.0.113.2", 1},
		{"name=%77ww.example&ref=256", 1},
	};
	static struct pages_rig p;
	char target[128];
	json_t *rows;
	size_t i;

	pages_init(&p);
	(void)pages_make(&p, 1, 256, "www.example.");
	(void)pages_make(&p, 1, 257, "Mail.example");
	(void)pages_make(&p, 2, 256, NULL);
	ck_assert_int_eq(batch(p.client, "a", hash_of(1, 4), 1, 4), MSG_ACK);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(
			target, sizeof(target), "/mappings?%s", cases[i].query);
		rows = pages_json(&p, target);
		ck_assert_msg(json_array_size(rows) == cases[i].n, "%s: %zu",
			cases[i].query, json_array_size(rows));
		json_decref(rows);
	}
	pages_fini(&p);
}
END_TEST

START_TEST(test_filters_without_sense)
{
	static const struct {
		const char *query, *says;
	} cases[] = {
		{"kind=remote", "there is no filter \"kind\""},
		{"owner", "owner: empty"},
		{"owner=", "owner: empty"},
		{"owner=me", "owner \"me\": it has to be mapper"},
		{"owner=a:b", "owner \"a:b\": there is no such source"},
		{"name=.", "name \".\": it has to be a name"},
		{"name=*.", "name \"*.\": it has to be"},
		{"name=a.*.b", "name \"a.*.b\": it has to be"},
		{"address=10.0.0.1/8", "host bits"},
		{"address=here", "address \"here\": it is no IP address"},
		{"host=10.0.0.0/8", "host \"10.0.0.0/8\": it is no IP"},
		{"gw=x", "gw \"x\": it is no IP address"},
		{"ref=x", "ref \"x\": it is no reference"},
		{"tentative=yes", "tentative \"yes\": it has to be 1 or 0"},
		{"name=%zz", "name: empty, too long or broken"},
		{"ref=1&&ref=2", "there is no filter \"\""},
	};
	static struct pages_rig p;
	char target[128], *body;
	size_t i, page;

	pages_init(&p);
	for (i = 0; i < ARRAY_LEN(cases); i++)
		for (page = 0; page < 2; page++) {
			snprintf(target, sizeof(target), "/%s?%s",
				page ? "watch" : "mappings", cases[i].query);
			body = pages_fetch(&p, "GET", target, 400);
			ck_assert_msg(strstr(body, cases[i].says) != NULL,
				"%s: %s", cases[i].query, body);
			free(body);
		}
	pages_fini(&p);
}
END_TEST

START_TEST(test_sources)
{
	static struct pages_rig p;
	json_t *rows, *row, *list;

	pages_init(&p);
	rows = pages_json(&p, "/sources");
	ck_assert_uint_eq(json_array_size(rows), 1);
	row = json_array_get(rows, 0);
	ck_assert_str_eq(member(row, "source"), "hosts");
	ck_assert(json_is_null(json_object_get(row, "heard_seconds")));
	json_decref(rows);
	ck_assert_int_eq(publish(p.client, "a", 8, 1, 200), MSG_ACK);
	ck_assert_int_eq(publish(p.client, "b", 9, 51, 200), MSG_ACK);
	p.rig.now += 7000;
	rows = pages_json(&p, "/sources");
	ck_assert_uint_eq(json_array_size(rows), 3);
	row = json_array_get(rows, 2);
	ck_assert_str_eq(member(row, "source"), "int.test:b");
	ck_assert_int_eq(
		json_integer_value(json_object_get(row, "records")), 200);
	ck_assert_int_eq(
		json_integer_value(json_object_get(row, "in_force")), 50);
	ck_assert_int_eq(
		json_integer_value(json_object_get(row, "conflicts")), 150);
	ck_assert_int_eq(
		json_integer_value(json_object_get(row, "heard_seconds")), 7);
	ck_assert(json_is_false(json_object_get(row, "silent")));
	list = json_object_get(row, "conflict_details");
	ck_assert_uint_eq(json_array_size(list), 100);
	row = json_array_get(list, 0);
	ck_assert_str_eq(member(row, "gw"), "192.0.2.1");
	ck_assert_str_eq(member(row, "ref"), "51");
	ck_assert_str_eq(member(row, "wanted"), "192.168.9.51");
	ck_assert_str_eq(member(row, "held"), "192.168.8.51");
	ck_assert_str_eq(member(row, "holder"), "int.test:a");
	json_decref(rows);
	pages_fini(&p);
}
END_TEST

RUN_TESTS("pages", test_all_of_them, test_changes_meanwhile, test_filters,
	test_filters_without_sense, test_sources)
