/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hosts file: the captured lines as one file, as a deployed gateway took
 * them, and what only ours does; its coming, changing and going while watched.
 */
#include <event2/event.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mapperd/hostsfile.h"
#include "rig.h"
#include "tests/unit/run.h"
#include "tests/unit/vec.h"

static const struct hosts_rec *
find_line(const struct hostsfile_set *set, unsigned line)
{
	size_t i;

	for (i = 0; i < set->n; i++)
		if (set->recs[i].entry.line == line)
			return &set->recs[i];
	return NULL;
}

static const struct hosts_rec *
find_address(const struct hostsfile_set *set, const struct addr *a)
{
	size_t i;

	for (i = 0; i < set->n; i++)
		if (addr_eq(&set->recs[i].entry.addr, a))
			return &set->recs[i];
	return NULL;
}

/* A later line for the same address serves instead. */
static bool
overruled(const struct vec_block *blocks, size_t n, size_t i, const char *addr)
{
	const char *map;
	size_t k, len = strlen(addr);

	for (k = i + 1; k < n; k++) {
		map = vec_get(&blocks[k], "map-local");
		if (!map)
			map = vec_get(&blocks[k], "map-remote");
		if (map && !strncmp(map, addr, len) && map[len] == ' ')
			return true;
	}
	return false;
}

static void
check_block(const struct hostsfile_set *set, const struct vec_block *blocks,
	size_t n, size_t i)
{
	const char *map = vec_get(&blocks[i], "map-local");
	const struct hosts_rec *rec = find_line(set, (unsigned)i + 1);
	enum entry_kind kind = map ? ENTRY_LOCAL : ENTRY_REMOTE;
	char addr[64], gw[64], hex[64];
	uint8_t ref[16];
	struct addr want;
	const char *note;

	if (!map)
		map = vec_get(&blocks[i], "map-remote");
	if (vec_get(&blocks[i], "differs")) {
		/* Ours allots the reference; else it refuses. */
		ck_assert_msg(rec ? rec->allot : i + 1 > 9, "line %zu", i + 1);
		return;
	}
	if (!map) {
		ck_assert_msg(!rec, "line %zu is taken", i + 1);
		return;
	}
	ck_assert_int_eq(sscanf(map, "%63s %63s %63s", addr, gw, hex), 3);
	if (!rec) {
		/* Or for the same reference, where it is open who serves. */
		note = vec_nth(&blocks[i], "note", 0);
		ck_assert_msg((note && strstr(note, "is open")) ||
				      overruled(blocks, n, i, addr),
			"line %zu: %s", i + 1, vec_get(&blocks[i], "text"));
		return;
	}
	want = addr_of(addr);
	vec_hex(hex, ref, sizeof(ref));
	ck_assert_int_eq(rec->entry.kind, kind);
	ck_assert(addr_eq(&rec->entry.addr, &want));
	ck_assert(!memcmp(rec->entry.key.ref.b, ref, 16));
	/* Our own context is not stored by address. */
	want = addr_of(strcmp(gw, "192.0.2.1") ? gw : "0.0.0.0");
	ck_assert(addr_eq(&rec->entry.key.gw, &want));
}

START_TEST(test_captured)
{
	static struct vec_block blocks[100];
	struct host_rules rules = {
		prefix_of("10.240.0.0/12"), 4, addr_of("192.0.2.1")};
	struct hostsfile_set set;
	struct vec_file f;
	uint8_t text[65536];
	size_t n = 0, len = 0, i;

	vec_open(&f, "text.txt");
	while (vec_next(&f, &blocks[n])) {
		if (!vec_get(&blocks[n], "hosts"))
			continue;
		len += vec_hex(vec_get(&blocks[n], "text-hex"), text + len,
			sizeof(text) - len - 1);
		text[len++] = '\n';
		ck_assert_uint_lt(++n, ARRAY_LEN(blocks));
	}
	ck_assert_uint_ge(n, 60);
	ck_assert_int_eq(
		hostsfile_parse(&set, "captured", (char *)text, len, &rules),
		0);
	for (i = 0; i < n; i++)
		check_block(&set, blocks, n, i);
	ck_assert_uint_eq(set.lines, n);
	free(set.recs);
	vec_close(&f);
}
END_TEST

START_TEST(test_lines)
{
	static const char text[] =
		"192.168.1.1 a #= pub 5\n"
		"192.168.1.2 b #= pub 5\n" /* the same reference: this */
		"192.168.1.3 c #= pub 6\n"
		"192.168.1.3 c #= local\n" /* hides it again */
		"192.168.1.4 d #= pub\n"
		"192.168.1.5 e #= pub\n" /* two that ask are two */
		"192.168.1.6 f #= pub 192.0.2.9\n"
		"10.240.1.1 g #= ext 192.0.2.7 + 7\n"
		"10.240.1.2 g #= ext 192.0.2.7 + 7\n"
		"no newline at the end #= pub 8";
	static const char *const there[] = {"192.168.1.2", "192.168.1.4",
		"192.168.1.5", "192.168.1.6", "10.240.1.2"};
	struct host_rules rules = {
		prefix_of("10.240.0.0/12"), 4, addr_of("192.0.2.1")};
	struct hostsfile_set set;
	struct addr a;
	size_t i;

	ck_assert_int_eq(
		hostsfile_parse(&set, "lines", text, strlen(text), &rules), 0);
	ck_assert_uint_eq(set.n, ARRAY_LEN(there));
	ck_assert_uint_eq(set.lines, 10);
	ck_assert_uint_eq(set.broken, 1);
	for (i = 0; i < ARRAY_LEN(there); i++) {
		a = addr_of(there[i]);
		ck_assert_msg(find_address(&set, &a) != NULL, "%s", there[i]);
	}
	a = addr_of("192.168.1.6");
	ck_assert(find_address(&set, &a)->allot);
	ck_assert_uint_eq(find_address(&set, &a)->entry.key.gw.b[3], 9);
	free(set.recs);
}
END_TEST

/* References that lines ask for: kept over readings and another day, gone into
 * quarantine with their line. */
START_TEST(test_allotted)
{
	static struct rig r;
	struct hosts_rec recs[2] = {
		{.entry = {ENTRY_LOCAL, addr_of("192.168.1.4"),
			 {addr_zero(4), {{0}}}, 1},
			.allot = true},
		{.entry = {ENTRY_LOCAL, addr_of("192.168.1.5"),
			 {addr_of("192.0.2.9"), {{0}}}, 2},
			.allot = true},
	};
	struct mapper_config cfg;
	struct allot_stats st;
	struct ref first[2];
	struct entry *e;
	int round, i;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	for (round = 0; round < 3; round++) {
		ck_assert_int_eq(mapper_hosts(rig_mapper(&r), recs, 2), 0);
		rig_pump(&r);
		for (i = 0; i < 2; i++) {
			e = entries_by_ip(mapper_entries(rig_mapper(&r)),
				&recs[i].entry.addr);
			ck_assert_ptr_nonnull(e);
			ck_assert_ptr_null(entry_next_ip(e));
			ck_assert(addr_eq(&e->key.gw, &recs[i].entry.key.gw));
			ck_assert_uint_ge(ref_second_byte(&e->key.ref), 16);
			if (!round)
				first[i] = e->key.ref;
			ck_assert(ref_eq(&e->key.ref, &first[i]));
		}
		if (round == 1) {
			cfg = rig_config(&r, "10.240.0.0/12", "192.0.2.1");
			rig_restart(&r, &cfg);
		}
	}
	ck_assert_int_eq(mapper_hosts(rig_mapper(&r), recs, 1), 0);
	rig_pump(&r);
	mapper_allot_stats(rig_mapper(&r), &st);
	ck_assert_uint_eq(st.gone_refs, 1);
	ck_assert_uint_eq(mapper_entries(rig_mapper(&r))->n[ENTRY_LOCAL], 1);
	rig_fini(&r);
}
END_TEST

struct watch {
	struct rig *rig;
	struct event_base *base;
	size_t want;
};

static void
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
}

/* Runs the loop until so many mappings are in force; 5 s at most, as the
 * specification has it. */
static void
wait_for(struct watch *w, size_t n)
{
	const struct timeval slice = {0, 20000};
	uint64_t end = now_ms() + 5000;
	struct entries *es = mapper_entries(rig_mapper(w->rig));

	while (es->n[ENTRY_LOCAL] != n && now_ms() < end) {
		event_base_loopexit(w->base, &slice);
		event_base_dispatch(w->base);
		rig_pump(w->rig);
	}
	ck_assert_uint_eq(es->n[ENTRY_LOCAL], n);
}

START_TEST(test_watched)
{
	static struct rig r;
	struct watch w = {.rig = &r};
	struct host_rules rules = {
		prefix_of("10.240.0.0/12"), 4, addr_of("192.0.2.1")};
	char dir[] = "/tmp/ipref-hosts-XXXXXX", path[64], other[64];
	struct hostsfile *h;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/hosts", dir);
	snprintf(other, sizeof(other), "%s/hosts.new", dir);
	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	w.base = event_base_new();
	h = hostsfile_new(w.base, path, &rules, rig_mapper(&r));
	ck_assert_ptr_nonnull(h);
	ck_assert(!hostsfile_stats(h)->there);
	write_file(path, "192.168.1.1 a #= pub 5\n");
	wait_for(&w, 1);
	write_file(other, "192.168.1.1 a #= pub 5\n192.168.1.2 b #= pub 6\n");
	ck_assert_int_eq(rename(other, path), 0);
	wait_for(&w, 2);
	ck_assert_int_eq(unlink(path), 0);
	wait_for(&w, 0);
	ck_assert_int_eq(symlink(other, path), 0);
	write_file(other, "192.168.1.1 a #= pub 5\n");
	wait_for(&w, 1);
	hostsfile_free(h);
	event_base_free(w.base);
	rig_fini(&r);
	unlink(path);
	unlink(other);
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

/* Tools that remove the file before they write it anew: no host is withdrawn,
 * so the references that we allotted stay. The same at a start. */
START_TEST(test_replaced_slowly)
{
	static struct rig r;
	struct watch w = {.rig = &r};
	struct host_rules rules = {
		prefix_of("10.240.0.0/12"), 4, addr_of("192.0.2.1")};
	struct addr ip = addr_of("192.168.1.1");
	char dir[] = "/tmp/ipref-hosts-XXXXXX", path[64];
	const struct entries *es;
	struct hostsfile *h;
	struct ref ref;
	int start;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/hosts", dir);
	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	es = mapper_entries(rig_mapper(&r));
	w.base = event_base_new();
	write_file(path, "192.168.1.1 a #= pub\n");
	h = hostsfile_new(w.base, path, &rules, rig_mapper(&r));
	wait_for(&w, 1);
	ref = entries_by_ip(es, &ip)->key.ref;
	for (start = 0; start < 2; start++) {
		ck_assert_int_eq(unlink(path), 0);
		if (start) {
			hostsfile_free(h);
			h = hostsfile_new(w.base, path, &rules, rig_mapper(&r));
		} else {
			hostsfile_reload(h);
		}
		rig_pump(&r);
		ck_assert_uint_eq(es->n[ENTRY_LOCAL], 1 + (size_t)start);
		write_file(path, start ? "192.168.1.1 a #= pub\n"
				       : "192.168.1.1 a #= pub\n"
					 "192.168.1.2 b #= pub 6\n");
		wait_for(&w, start ? 1 : 2);
		ck_assert(ref_eq(&entries_by_ip(es, &ip)->key.ref, &ref));
	}
	hostsfile_free(h);
	event_base_free(w.base);
	rig_fini(&r);
	unlink(path);
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

/* What can't be read changes nothing; then it can. */
START_TEST(test_unreadable)
{
	static struct rig r;
	struct watch w = {.rig = &r};
	struct host_rules rules = {
		prefix_of("10.240.0.0/12"), 4, addr_of("192.0.2.1")};
	char dir[] = "/tmp/ipref-hosts-XXXXXX", path[64];
	struct hostsfile *h;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/hosts", dir);
	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	w.base = event_base_new();
	write_file(path, "192.168.1.1 a #= pub 5\n");
	h = hostsfile_new(w.base, path, &rules, rig_mapper(&r));
	wait_for(&w, 1);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkdir(path, 0700), 0); /* no regular file */
	hostsfile_reload(h);
	rig_pump(&r);
	ck_assert_uint_eq(hostsfile_stats(h)->failures, 1);
	ck_assert_uint_eq(mapper_entries(rig_mapper(&r))->n[ENTRY_LOCAL], 1);
	ck_assert_int_eq(rmdir(path), 0);
	write_file(path, "192.168.1.1 a #= pub 5\n192.168.1.2 b #= pub 6\n");
	wait_for(&w, 2);
	hostsfile_free(h);
	event_base_free(w.base);
	rig_fini(&r);
	unlink(path);
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

START_TEST(test_too_long)
{
	struct host_rules rules = {
		prefix_of("10.240.0.0/12"), 4, addr_of("192.0.2.1")};
	size_t n = HOSTSFILE_LINES_MAX + 1;
	char *text = malloc(n);
	struct hostsfile_set set;

	memset(text, '\n', n);
	ck_assert_int_eq(hostsfile_parse(&set, "x", text, n, &rules), -E2BIG);
	ck_assert_int_eq(hostsfile_parse(&set, "x", text, n - 1, &rules), 0);
	ck_assert_uint_eq(set.n, 0);
	free(set.recs);
	free(text);
}
END_TEST

RUN_TESTS("hostsfile", test_captured, test_lines, test_allotted, test_watched,
	test_replaced_slowly, test_unreadable, test_too_long)
