/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /watch: changes as they happen, for each watcher from its own place. */
#include "pages_rig.h"
#include "tests/unit/run.h"

#define MANY 140000 /* more than are kept for watchers */

static struct entry_data
remote(uint64_t ref, const char *name)
{
	return (struct entry_data){
		.kind = ENTRY_REMOTE,
		.cause = CAUSE_RESOLVER,
		.owner = OWNER_MAPPER,
		.addr = addr_of("10.240.17.3"),
		.key = {addr_of("203.0.113.1"), ref_from_u64(ref)},
		.name = name,
	};
}

/* As the server tells of a change. */
static void
happens(struct pages_rig *p, uint64_t revision, enum op_kind kind,
	uint64_t first, size_t n, const char *name)
{
	struct entry_data d;
	struct change c;
	struct op *op;
	size_t i;

	change_init(&c);
	change_op(&c, OP_LEASE)->data = remote(1, NULL); /* not for watchers */
	for (i = 0; i < n; i++) {
		d = remote(first + i, name);
		if (kind == OP_ADD) {
			change_add(&c, &d);
			continue;
		}
		op = change_op(&c, kind);
		op->data = d;
	}
	watch_published(p->d.watch, revision, &c);
	change_fini(&c);
}

struct watcher_text {
	int fd;
	struct answer_text a;
	size_t shown; /* bytes given out */
};

static void
watch_start(struct pages_rig *p, struct watcher_text *w, const char *target)
{
	*w = (struct watcher_text){.fd = pages_ask(p, "GET", target)};
	LOOP_UNTIL(
		p->daemon.base, (answer_read(&w->a, w->fd),
					w->a.p && strstr(w->a.p, "\"start\"")));
	ck_assert_ptr_nonnull(strstr(w->a.p, "\r\n\r\n"));
	w->shown = (size_t)(strstr(w->a.p, "\r\n\r\n") + 4 - w->a.p);
}

static bool
has_line(struct watcher_text *w)
{
	if (strchr(w->a.p + w->shown, '\n'))
		return true;
	answer_read(&w->a, w->fd);
	return strchr(w->a.p + w->shown, '\n');
}

/* Its next line, parsed. */
static json_t *
next_line(struct pages_rig *p, struct watcher_text *w)
{
	json_t *row;
	size_t len;

	LOOP_UNTIL(p->daemon.base, has_line(w));
	len = strcspn(w->a.p + w->shown, "\n");
	row = json_loadb(w->a.p + w->shown, len, 0, NULL);
	ck_assert_msg(row != NULL, "%s", w->a.p + w->shown);
	w->shown += len + 1;
	return row;
}

static void
watch_end(struct watcher_text *w)
{
	close(w->fd);
	free(w->a.p);
}

static void
expect_change(struct pages_rig *p, struct watcher_text *w, unsigned revision,
	const char *change, const char *ref)
{
	json_t *row = next_line(p, w);

	ck_assert_int_eq(
		json_integer_value(json_object_get(row, "revision")), revision);
	ck_assert_str_eq(member(row, "change"), change);
	if (ref) {
		ck_assert_str_eq(member(row, "ref"), ref);
		ck_assert_str_eq(member(row, "kind"), "remote");
		ck_assert_str_eq(member(row, "ea"), "10.240.17.3");
		ck_assert_str_eq(member(row, "gw"), "203.0.113.1");
		ck_assert_str_eq(member(row, "owner"), "mapper");
	}
	json_decref(row);
}

START_TEST(test_changes)
{
	static struct pages_rig p;
	struct watcher_text all, some;

	pages_init(&p);
	happens(&p, 1, OP_ADD, 7, 1, NULL); /* nobody watches yet */
	watch_start(&p, &all, "/watch");
	watch_start(&p, &some, "/watch?ref=301");
	expect_change(&p, &all, 0, "start", NULL);
	expect_change(&p, &some, 0, "start", NULL);
	happens(&p, 2, OP_ADD, 300, 2, "a.example");
	happens(&p, 3, OP_DEL, 300, 2, NULL);
	expect_change(&p, &all, 2, "set", "300");
	expect_change(&p, &all, 2, "set", "301");
	expect_change(&p, &some, 2, "set", "301");
	expect_change(&p, &some, 3, "del", "301");
	watch_end(&some);
	loop_round(p.daemon.base);
	expect_change(&p, &all, 3, "del", "300");
	expect_change(&p, &all, 3, "del", "301");
	happens(&p, 4, OP_ADD, 302, 1, NULL);
	expect_change(&p, &all, 4, "set", "302");
	watch_end(&all);
	loop_round(p.daemon.base);
	pages_fini(&p);
}
END_TEST

/* One that has fallen behind is told so, and goes on from the present; others
 * miss nothing. */
START_TEST(test_lost)
{
	static struct pages_rig p;
	struct watcher_text slow;
	size_t i;
	json_t *row;

	pages_init(&p);
	watch_start(&p, &slow, "/watch");
	expect_change(&p, &slow, 0, "start", NULL);
	happens(&p, 1, OP_ADD, 256, MANY, "a.name.to.be.freed.example");
	row = next_line(&p, &slow);
	ck_assert(json_is_true(json_object_get(row, "lost")));
	ck_assert(json_is_integer(json_object_get(row, "revision")));
	json_decref(row);
	for (i = 0; i < 3; i++) {
		happens(&p, 2 + i, OP_ADD, 300 + i, 1, NULL);
		row = next_line(&p, &slow);
		ck_assert_str_eq(member(row, "change"), "set");
		ck_assert_int_eq(
			json_integer_value(json_object_get(row, "revision")),
			2 + i);
		json_decref(row);
	}
	watch_end(&slow);
	loop_round(p.daemon.base);
	pages_fini(&p);
}
END_TEST

/* As many as are kept all come, in order, to one that reads. */
START_TEST(test_many)
{
	static struct pages_rig p;
	struct watcher_text w;
	char ref[32];
	uint64_t i;

	pages_init(&p);
	watch_start(&p, &w, "/watch");
	expect_change(&p, &w, 0, "start", NULL);
	happens(&p, 1, OP_ADD, 256, 5000, NULL);
	LOOP_UNTIL(p.daemon.base,
		(answer_read(&w.a, w.fd), strstr(w.a.p, "\"ref\":\"5255\"")));
	for (i = 0; i < 5000; i++) {
		snprintf(ref, sizeof(ref), "%u", (unsigned)(256 + i));
		expect_change(&p, &w, 1, "set", ref);
	}
	watch_end(&w);
	pages_fini(&p);
}
END_TEST

/* Watchers are ended with the daemon, whatever they still had to be told. */
START_TEST(test_stop)
{
	static struct pages_rig p;
	struct watcher_text w[2];

	pages_init(&p);
	watch_start(&p, &w[0], "/watch");
	watch_start(&p, &w[1], "/watch");
	happens(&p, 1, OP_ADD, 256, 1000, "b.example");
	pages_fini(&p);
	answer_read(&w[0].a, w[0].fd);
	ck_assert(w[0].a.end);
	watch_end(&w[0]);
	watch_end(&w[1]);
}
END_TEST

RUN_TESTS("watch", test_changes, test_lost, test_many, test_stop)
