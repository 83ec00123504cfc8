/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copies made beside the work, and what becomes of one that is put back. */
#include <fcntl.h>

#include "store_rig.h"
#include "tests/unit/run.h"

struct copy {
	int fd, err;
	unsigned done;
};

static void
on_copy(int fd, int err, void *arg)
{
	struct copy *c = arg;

	c->fd = fd;
	c->err = err;
	c->done++;
}

static void
wait_for_copy(struct loaded *l, struct copy *c)
{
	while (!c->done)
		event_base_loop(l->base, EVLOOP_ONCE);
}

static void
save_as(int fd, const char *dir, const char *name)
{
	char path[64], buf[4096];
	ssize_t n;
	int out;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	out = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ck_assert_int_ge(out, 0);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		ck_assert_int_eq(write(out, buf, (size_t)n), n);
	ck_assert_int_eq(n, 0);
	close(out);
	close(fd);
}

static void
add_one(struct loaded *l, uint32_t i)
{
	struct entry_data d = remote(i);
	struct store_job *job = new_job();

	change_add(&job->change, &d);
	ck_assert_int_eq(run_job(l, job), 0);
}

/* The copy is as of one moment: the first so many of the entries that were
 * added one after the other. */
static void
check_restored(struct loaded *l, uint64_t identity, size_t least)
{
	size_t n = l->entries.n[ENTRY_REMOTE], i;
	struct entry_data d;

	ck_assert_uint_ne(l->store->identity, identity);
	ck_assert_uint_ge(n, least);
	ck_assert_uint_eq(l->store->revision, n);
	for (i = 0; i < n; i++) {
		d = remote((uint32_t)i);
		ck_assert_ptr_nonnull(entries_remote(&l->entries, &d.key));
	}
}

START_TEST(test_backup_beside_work)
{
	struct copy c = {.fd = -1};
	uint64_t identity, restored, now;
	struct loaded l;
	char dir[32];
	uint32_t i = 0;

	make_dir(dir);
	ck_assert_int_eq(open_at(&l, dir), 0);
	identity = l.store->identity;
	while (i < 500)
		add_one(&l, i++);
	ck_assert_int_eq(store_backup(l.store, on_copy, &c), 0);
	ck_assert_int_eq(store_backup(l.store, on_copy, &c), -EBUSY);
	while (!c.done)
		add_one(&l, i++);
	ck_assert_int_eq(c.err, 0);
	ck_assert(!has_file(dir, "mapperd.db.tmp-", NULL));
	add_one(&l, i++);
	close_it(&l);

	/* The original is none the worse. */
	ck_assert_int_eq(open_at(&l, dir), 0);
	ck_assert_uint_eq(l.store->identity, identity);
	ck_assert_uint_eq(l.store->suspect_at, 0);
	ck_assert_uint_eq(l.entries.n[ENTRY_REMOTE], i);
	close_it(&l);

	save_as(c.fd, dir, "mapperd.db");
	ck_assert_int_eq(open_at(&l, dir), 0);
	check_restored(&l, identity, 500);
	restored = l.store->identity;
	now = now_ms() + (uint64_t)l.store->clock_offset;
	ck_assert_uint_gt(l.store->suspect_at, 0);
	ck_assert_uint_le(l.store->suspect_at, now);
	ck_assert_uint_ge(l.store->suspect_at, now - 10000);
	now = l.store->suspect_at;
	close_it(&l);
	/* From then on it is an ordinary one. */
	ck_assert_int_eq(open_at(&l, dir), 0);
	ck_assert_uint_eq(l.store->identity, restored);
	ck_assert_uint_eq(l.store->suspect_at, now);
	close_it(&l);
	remove_dir(dir);
}
END_TEST

/* A log left by the database that was there before is not played into the one
 * that is put there; nor does the mark of the old one count. */
START_TEST(test_restored_beside_old_log)
{
	struct copy c = {.fd = -1};
	uint64_t identity;
	struct loaded l;
	char dir[32];
	uint32_t i;
	pid_t pid;

	make_dir(dir);
	ck_assert_int_eq(open_at(&l, dir), 0);
	identity = l.store->identity;
	for (i = 0; i < 10; i++)
		add_one(&l, i);
	ck_assert_int_eq(store_backup(l.store, on_copy, &c), 0);
	wait_for_copy(&l, &c);
	close_it(&l);
	pid = fork();
	if (!pid) {
		if (open_at(&l, dir))
			_exit(1);
		for (i = 10; i < 300; i++)
			add_one(&l, i);
		_exit(0); /* as if killed: the log stays */
	}
	ck_assert(wait_for(pid));
	ck_assert(has_file(dir, "mapperd.db-wal", NULL));
	save_as(open("/dev/null", O_RDONLY), dir, "mapperd.db.damaged");
	save_as(c.fd, dir, "mapperd.db");
	ck_assert_int_eq(open_at(&l, dir), 0);
	check_restored(&l, identity, 10);
	ck_assert_uint_eq(l.entries.n[ENTRY_REMOTE], 10);
	ck_assert(!has_file(dir, "mapperd.db.damaged", NULL));
	close_it(&l);
	remove_dir(dir);
}
END_TEST

START_TEST(test_backup_ended_by_close)
{
	struct copy c = {.fd = -1};
	struct store_job *job = new_job();
	struct entry_data d;
	struct loaded l;
	char dir[32];
	uint32_t i;

	make_dir(dir);
	ck_assert_int_eq(open_at(&l, dir), 0);
	for (i = 0; i < 20000; i++) {
		d = remote(i);
		change_add(&job->change, &d);
	}
	ck_assert_int_eq(run_job(&l, job), 0);
	ck_assert_int_eq(store_backup(l.store, on_copy, &c), 0);
	close_it(&l);
	ck_assert_uint_eq(c.done, 1);
	/* Either it was faster, or it says so. */
	if (c.err)
		ck_assert_int_eq(c.err, -ECANCELED);
	else
		ck_assert_int_eq(close(c.fd), 0);
	ck_assert(!has_file(dir, "mapperd.db.tmp-", NULL));
	remove_dir(dir);
}
END_TEST

/* Copies that were never ended are removed at the next start. */
START_TEST(test_left_over_copies)
{
	struct loaded l;
	char dir[32];

	make_dir(dir);
	save_as(open("/dev/null", O_RDONLY), dir, "mapperd.db.tmp-abcdef");
	save_as(open("/dev/null", O_RDONLY), dir, "mapperd.db.keep-abcdef");
	ck_assert_int_eq(open_at(&l, dir), 0);
	ck_assert(!has_file(dir, "mapperd.db.tmp-", NULL));
	ck_assert(has_file(dir, "mapperd.db.keep-", NULL));
	close_it(&l);
	remove_dir(dir);
}
END_TEST

RUN_TESTS("store_backup", test_backup_beside_work, test_restored_beside_old_log,
	test_backup_ended_by_close, test_left_over_copies)
