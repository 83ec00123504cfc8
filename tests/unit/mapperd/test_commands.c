/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Operators' orders at the control socket, and what becomes of them when the
 * store, or the one who gave them, has gone. */
#include "pages_rig.h"
#include "tests/unit/run.h"

/* An order whose answer waits for the store. */
static char *
order(struct pages_rig *p, const char *target, int want)
{
	struct answer_text a = {0};
	int fd = pages_ask(p, "POST", target), i;

	for (i = 0; i < 5; i++)
		loop_round(p->daemon.base);
	answer_read(&a, fd);
	ck_assert_uint_eq(a.len, 0);
	rig_pump(&p->rig);
	return answer_end(p, &a, fd, want);
}

static struct {
	store_backup_fn done;
	void *arg;
	int refuse; /* -errno, instead of making one */
} maker;

static int
make_backup(struct store *s, store_backup_fn done, void *arg)
{
	(void)s;
	if (maker.refuse)
		return maker.refuse;
	maker.done = done;
	maker.arg = arg;
	return 0;
}

static void
degraded_stats(struct store *s, struct store_stats *out)
{
	(void)s;
	*out = (struct store_stats){.degraded = true, .reason = "disk is full"};
}

/* The rig's store, with what only the real one can. */
static void
extend_store(struct pages_rig *p, struct store_class *class)
{
	*class = *p->rig.store.store.class;
	class->backup = make_backup;
	class->stats = degraded_stats;
	p->rig.store.store.class = class;
	memset(&maker, 0, sizeof(maker));
}

START_TEST(test_forget)
{
	static struct pages_rig p;
	char target[128], ea[ADDR_TEXT_MAX], *body;
	struct addr addr;
	json_t *json;

	pages_init(&p);
	addr = pages_make(&p, 1, 256, "www.example");
	snprintf(target, sizeof(target), "/forget?address=%s",
		addr_format(&addr, ea));
	body = order(&p, target, 200);
	json = json_loads(body, 0, NULL);
	ck_assert_str_eq(member(json, "address"), ea);
	ck_assert_int_eq(
		json_integer_value(json_object_get(json, "forgotten")), 1);
	json_decref(json);
	free(body);
	body = pages_fetch(&p, "POST", target, 404);
	ck_assert_ptr_nonnull(strstr(body, "there is no mapping"));
	free(body);
	ck_assert_int_eq(batch(p.client, "a", hash_of(1, 4), 1, 4), MSG_ACK);
	body = pages_fetch(&p, "POST", "/forget?address=192.168.7.1", 409);
	ck_assert_ptr_nonnull(strstr(body, "is listed"));
	free(body);
	free(pages_fetch(&p, "POST", "/forget?address=x", 400));
	free(pages_fetch(&p, "POST", "/forget", 400));
	free(pages_fetch(&p, "GET", "/forget?address=192.168.7.1", 405));
	pages_fini(&p);
}
END_TEST

START_TEST(test_store_fails)
{
	static struct pages_rig p;
	char target[128], ea[ADDR_TEXT_MAX], *body;
	struct store_class class;
	struct addr addr;

	pages_init(&p);
	extend_store(&p, &class);
	addr = pages_make(&p, 1, 256, NULL);
	snprintf(target, sizeof(target), "/forget?address=%s",
		addr_format(&addr, ea));
	p.rig.store.fail = -ENOSPC;
	body = order(&p, target, 503);
	ck_assert_ptr_nonnull(strstr(body, "not done: No space left on device: "
					   "disk is full"));
	free(body);
	ck_assert_ptr_nonnull(
		entries_by_ea(mapper_entries(rig_mapper(&p.rig)), &addr));
	p.rig.store.fail = 0;
	free(order(&p, target, 200));
	ck_assert_ptr_null(
		entries_by_ea(mapper_entries(rig_mapper(&p.rig)), &addr));
	pages_fini(&p);
}
END_TEST

/* Whoever ordered it does not wait, or the daemon stops: it is done. */
START_TEST(test_nobody_waits)
{
	static struct pages_rig p;
	char target[128], ea[ADDR_TEXT_MAX];
	struct addr addr;
	int fd, i;

	pages_init(&p);
	for (i = 0; i < 2; i++) {
		addr = pages_make(&p, 1, 256 + (unsigned)i, NULL);
		snprintf(target, sizeof(target), "/forget?address=%s",
			addr_format(&addr, ea));
		fd = pages_ask(&p, "POST", target);
		LOOP_UNTIL(p.daemon.base, p.rig.store.n_queued == 1);
		close(fd);
		loop_round(p.daemon.base);
		if (i)
			ctl_stop(p.daemon.ctl);
		rig_pump(&p.rig);
		ck_assert_ptr_null(entries_by_ea(
			mapper_entries(rig_mapper(&p.rig)), &addr));
	}
	pages_fini(&p);
}
END_TEST

START_TEST(test_source_remove)
{
	static struct pages_rig p;
	char *body;
	json_t *json;

	pages_init(&p);
	ck_assert_int_eq(batch(p.client, "a", hash_of(1, 4), 1, 4), MSG_ACK);
	ck_assert_uint_eq(in_force(&p.rig), 4);
	body = order(&p, "/source/remove?source=INT.test:a.", 200);
	json = json_loads(body, 0, NULL);
	ck_assert_str_eq(member(json, "source"), "int.test:a");
	ck_assert_int_eq(
		json_integer_value(json_object_get(json, "withdrawn")), 4);
	json_decref(json);
	free(body);
	ck_assert_uint_eq(in_force(&p.rig), 0);
	body = pages_fetch(&p, "POST", "/source/remove?source=int.test:a", 404);
	ck_assert_str_eq(body, "there is no source int.test:a\n");
	free(body);
	free(pages_fetch(&p, "POST", "/source/remove?source=hosts", 400));
	pages_fini(&p);
}
END_TEST

/* --- backup ----------------------------------------------------------------
 */

START_TEST(test_backup)
{
	static struct pages_rig p;
	static char content[300000];
	struct store_class class;
	struct answer_text a = {0};
	char *body;
	size_t i;
	int fd, file;

	pages_init(&p);
	free(pages_fetch(&p, "POST", "/backup", 501));
	extend_store(&p, &class);
	for (i = 0; i < sizeof(content) - 1; i++)
		content[i] = (char)('a' + i * i % 26);
	file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	ck_assert_int_ge(file, 0);
	ck_assert_int_eq(
		write(file, content, sizeof(content) - 1), sizeof(content) - 1);
	ck_assert_int_eq(lseek(file, 0, SEEK_SET), 0);
	fd = pages_ask(&p, "POST", "/backup");
	LOOP_UNTIL(p.daemon.base, maker.done);
	maker.done(file, 0, maker.arg);
	body = answer_end(&p, &a, fd, 200);
	ck_assert_str_eq(body, content);
	free(body);
	loop_rounds(p.daemon.base, 3);
	ck_assert_int_eq(fcntl(file, F_GETFD), -1); /* closed */
	pages_fini(&p);
}
END_TEST

START_TEST(test_backup_fails)
{
	static struct pages_rig p;
	struct store_class class;
	struct answer_text a = {0};
	char *body;
	int fd;

	pages_init(&p);
	extend_store(&p, &class);
	fd = pages_ask(&p, "POST", "/backup");
	LOOP_UNTIL(p.daemon.base, maker.done);
	maker.done(-1, -ENOSPC, maker.arg);
	body = answer_end(&p, &a, fd, 503);
	ck_assert_ptr_nonnull(strstr(body, "the backup failed: No space"));
	free(body);
	maker.refuse = -EBUSY;
	body = pages_fetch(&p, "POST", "/backup", 503);
	ck_assert_ptr_nonnull(strstr(body, "is being made already"));
	free(body);
	pages_fini(&p);
}
END_TEST

/* The daemon stops while one is made, as closing the store then says. */
START_TEST(test_stop_during_backup)
{
	static struct pages_rig p;
	struct store_class class;
	int fd;

	pages_init(&p);
	extend_store(&p, &class);
	fd = pages_ask(&p, "POST", "/backup");
	LOOP_UNTIL(p.daemon.base, maker.done);
	ctl_stop(p.daemon.ctl);
	maker.done(-1, -ECANCELED, maker.arg);
	pages_fini(&p);
	close(fd);
}
END_TEST

RUN_TESTS("commands", test_forget, test_store_fails, test_nobody_waits,
	test_source_remove, test_backup, test_backup_fails,
	test_stop_during_backup)
