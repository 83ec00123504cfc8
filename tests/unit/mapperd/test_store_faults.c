/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A disk that fails: at each point in turn, or slowly. What was acknowledged is
 * there afterwards, what was refused is not. */
#include "faulty_vfs.h"
#include "store_rig.h"
#include "tests/unit/run.h"

#define BEFORE 100 /* entries there already */
#define JOBS   4

/* What became of the entry that each job added. */
struct fate {
	int err[JOBS]; /* 1: it was never submitted */
};

/* A database that was not closed: there is a log. */
static struct image
make_used(void)
{
	struct store_job *job = new_job();
	struct entry_data d;
	struct image im;
	struct loaded l;
	char dir[32];
	uint32_t i;

	make_dir(dir);
	ck_assert_int_eq(open_at(&l, dir), 0);
	for (i = 0; i < BEFORE; i++) {
		d = remote(i);
		change_add(&job->change, &d);
	}
	ck_assert_int_eq(run_job(&l, job), 0);
	im = take_image(dir);
	ck_assert_ptr_nonnull(im.wal);
	close_it(&l);
	remove_dir(dir);
	return im;
}

/* Each job adds an entry and removes one of those that were there. */
static void
work(struct loaded *l, struct fate *f)
{
	struct store_job *job;
	struct entry_data d;
	uint32_t i;

	for (i = 0; i < JOBS; i++) {
		job = new_job();
		d = remote(BEFORE + i);
		change_add(&job->change, &d);
		d = remote(i);
		change_op(&job->change, OP_DEL)->data = d;
		change_op(&job->change, OP_GONE)->data = d;
		f->err[i] = run_job(l, job);
		if (f->err[i] == -ENOTRECOVERABLE)
			return; /* its owner ends now */
	}
}

/* How it is for others after all that. */
static void
check_fate(const char *dir, const struct fate *f, enum fault fault, unsigned n)
{
	unsigned there = 0, unsure = 0;
	struct entry_data d;
	struct loaded l;
	bool made, left;
	uint32_t i;

	ck_assert_msg(open_at(&l, dir) == 0, "%d %u", fault, n);
	ck_assert_msg(
		!has_file(dir, "mapperd.db.damaged", NULL), "%d %u", fault, n);
	for (i = 0; i < JOBS; i++) {
		d = remote(BEFORE + i);
		made = entries_remote(&l.entries, &d.key) != NULL;
		d = remote(i);
		left = entries_remote(&l.entries, &d.key) != NULL;
		ck_assert_msg(made != left, "%d %u: %u", fault, n, i);
		if (f->err[i] == -ENOTRECOVERABLE)
			unsure++;
		else
			ck_assert_msg(made == !f->err[i], "%d %u: %u: %d",
				fault, n, i, f->err[i]);
		there += made;
	}
	ck_assert_uint_le(unsure, 1);
	ck_assert_uint_eq(l.entries.n[ENTRY_REMOTE], BEFORE);
	ck_assert_uint_eq(l.n_ops, there);
	ck_assert_uint_eq(l.store->revision, 1 + there);
	close_it(&l);
}

/* Until then it can't be closed orderly. */
static void
finish_check(struct loaded *l)
{
	struct store_stats st;

	for (;;) {
		store_stats(l->store, &st);
		if (!st.checking)
			break;
		event_base_loop(l->base, EVLOOP_ONCE);
	}
}

/* One run; false when there was no n-th call. */
static bool
run_with(const struct image *im, enum fault fault, unsigned n, bool forever)
{
	struct fate f;
	struct loaded l;
	char dir[32];
	int i, err;
	bool hit;

	make_dir(dir);
	put_image(im, dir, im->db_len);
	for (i = 0; i < JOBS; i++)
		f.err[i] = 1;
	faulty_begin();
	faulty_set(fault, n, forever, 0);
	err = open_at(&l, dir);
	if (!err) {
		work(&l, &f);
		finish_check(&l);
	}
	for (i = 0; i < JOBS && f.err[i] != -ENOTRECOVERABLE; i++)
		ck_assert_msg(fault != FAULT_SYNC || f.err[i] >= 0,
			"sync %u: job %d: %d", n, i, f.err[i]);
	hit = faulty_has_hit();
	close_it(&l);
	hit = hit || faulty_has_hit();
	faulty_end();
	ck_assert_msg(hit || !err, "%d %u: %d", fault, n, err);
	check_fate(dir, &f, fault, n);
	remove_dir(dir);
	return hit;
}

START_TEST(test_each_call_fails)
{
	struct image im = make_used();
	unsigned n;

	for (n = 1; run_with(&im, (enum fault)_i, n, false); n++)
		ck_assert_uint_lt(n, 1000);
	free_image(&im);
	/* There were some. */
	ck_assert_uint_gt(n, 1);
}
END_TEST

START_TEST(test_all_fail_from_one_on)
{
	struct image im = make_used();
	unsigned n;

	for (n = 1; run_with(&im, (enum fault)_i, n, true); n++)
		ck_assert_uint_lt(n, 1000);
	free_image(&im);
}
END_TEST

/* While a disk is busy with syncing, the loop does what else there is; what is
 * submitted meanwhile is stored together. */
START_TEST(test_slow_sync)
{
	struct store_stats st;
	struct loaded l;
	char dir[32];
	uint64_t commits;
	int i;

	make_dir(dir);
	faulty_begin();
	ck_assert_int_eq(open_at(&l, dir), 0);
	store_stats(l.store, &st);
	commits = st.commits;
	faulty_hold(true);
	ck_assert_int_eq(store_submit(l.store, new_job()), 0);
	faulty_wait_held();
	for (i = 0; i < 100; i++)
		ck_assert_int_eq(store_submit(l.store, new_job()), 0);
	event_base_loop(l.base, EVLOOP_NONBLOCK);
	ck_assert_uint_eq(l.done, 0);
	store_stats(l.store, &st);
	ck_assert_uint_eq(st.queued, 100);
	faulty_hold(false);
	while (l.done < 101)
		event_base_loop(l.base, EVLOOP_ONCE);
	store_stats(l.store, &st);
	ck_assert_uint_eq(st.commits - commits, 2);
	close_it(&l);
	faulty_end();
	remove_dir(dir);
}
END_TEST

/* Waits until it is as wanted, while nothing else is done. */
static void
wait_degraded(struct loaded *l, bool degraded)
{
	struct store_stats st;

	do {
		usleep(1000); /* poll */
		store_stats(l->store, &st);
	} while (st.degraded != degraded);
	ck_assert_int_eq(st.reason[0] != '\0', degraded);
}

/* Without room nothing is acknowledged; when there is some again, this is known
 * without anybody asking for something. */
START_TEST(test_full)
{
	struct store_job *job = new_job();
	struct entry_data d = remote(1);
	struct loaded l;
	char dir[32];

	make_dir(dir);
	faulty_begin();
	ck_assert_int_eq(open_at(&l, dir), 0);
	faulty_set(FAULT_FULL, 1, true, 0);
	change_add(&job->change, &d);
	ck_assert_int_eq(run_job(&l, job), -ENOSPC);
	wait_degraded(&l, true);
	faulty_set(FAULT_NONE, 0, false, 0);
	wait_degraded(&l, false);
	job = new_job();
	change_add(&job->change, &d);
	ck_assert_int_eq(run_job(&l, job), 0);
	close_it(&l);
	faulty_end();
	ck_assert_int_eq(open_at(&l, dir), 0);
	ck_assert_uint_eq(l.entries.n[ENTRY_REMOTE], 1);
	close_it(&l);
	remove_dir(dir);
}
END_TEST

/* A full disk at start: what is stored is served, nothing is written, and all
 * is as always when there is room. */
static void
start_full(const struct image *im, enum fault fault, uint32_t n, bool suspect)
{
	struct entry_data d = remote(BEFORE);
	struct store_job *job;
	struct store_stats st;
	struct image after;
	uint64_t revision;
	struct loaded l;
	char dir[32];
	int i;

	make_dir(dir);
	put_image(im, dir, im->db_len);
	faulty_begin();
	for (i = 0; i < 2; i++) { /* it is ended, too, while it is full */
		faulty_set(fault, 1, true, 0);
		ck_assert_int_eq(open_at(&l, dir), 0);
		store_stats(l.store, &st);
		ck_assert(st.degraded);
		ck_assert_str_eq(st.reason, "database or disk is full");
		ck_assert_uint_eq(l.entries.n[ENTRY_REMOTE], n);
		ck_assert_int_eq(l.store->suspect_at != 0, suspect);
		job = new_job();
		change_add(&job->change, &d);
		ck_assert_int_eq(run_job(&l, job), -ENOSPC);
		after = take_image(dir);
		ck_assert_uint_eq(after.db_len, im->db_len);
		ck_assert_mem_eq(after.db, im->db, im->db_len);
		ck_assert_int_eq(after.wal != NULL, im->wal != NULL);
		free_image(&after);
		if (!i)
			close_it(&l);
	}
	revision = l.store->revision;
	faulty_set(FAULT_NONE, 0, false, 0);
	wait_degraded(&l, false);
	job = new_job();
	job->change.numbered = true;
	change_add(&job->change, &d);
	ck_assert_int_eq(run_job(&l, job), 0);
	ck_assert_uint_eq(l.revision, revision + 1);
	finish_check(&l); /* which was put off */
	close_it(&l);
	ck_assert(!has_file(dir, "mapperd.db-wal", NULL)); /* orderly */
	faulty_end();
	ck_assert_int_eq(open_at(&l, dir), 0);
	ck_assert(!has_file(dir, "mapperd.db.damaged", NULL));
	ck_assert_uint_eq(l.entries.n[ENTRY_REMOTE], n + 1);
	ck_assert_uint_eq(l.store->revision, revision + 1);
	ck_assert_int_eq(l.store->suspect_at != 0, suspect);
	close_it(&l);
	remove_dir(dir);
}

START_TEST(test_start_full)
{
	struct image im = make_used(), closed;
	struct loaded l;
	char dir[32];

	start_full(&im, (enum fault)_i, BEFORE, false);
	make_dir(dir);
	put_image(&im, dir, im.db_len);
	ck_assert_int_eq(open_at(&l, dir), 0);
	finish_check(&l);
	close_it(&l);
	closed = take_image(dir);
	ck_assert_ptr_null(closed.wal);
	remove_dir(dir);
	start_full(&closed, (enum fault)_i, BEFORE, false);
	free_image(&closed);
	/* Its log is gone: nor is that forgotten. */
	free(im.wal);
	im.wal = NULL;
	start_full(&im, (enum fault)_i, 0, true);
	free_image(&im);
}
END_TEST

/* A new one can't be made. */
START_TEST(test_start_full_refused)
{
	struct loaded l;
	char dir[32];

	make_dir(dir);
	faulty_begin();
	faulty_set((enum fault)_i, 1, true, 0);
	ck_assert_int_eq(open_at(&l, dir), -ENOSPC);
	close_it(&l);
	faulty_end();
	ck_assert(!has_file(dir, "mapperd.db", NULL));
	remove_dir(dir);
}
END_TEST

/* A sync of the file itself, when the log is played into it, comes behind the
 * acknowledgement: what was acknowledged is in the log, nothing is written any
 * more, and this is known without another job. */
START_TEST(test_checkpoint_sync_fails)
{
	struct store_stats st = {0};
	struct store_job *job;
	struct entry_data d;
	struct loaded l;
	char dir[32];
	uint32_t n = 0;

	make_dir(dir);
	faulty_begin();
	ck_assert_int_eq(open_at(&l, dir), 0);
	faulty_set(FAULT_SYNC, 1, true, SQLITE_OPEN_MAIN_DB);
	do {
		job = new_job();
		do {
			d = remote(n++);
			change_add(&job->change, &d);
		} while (n % 4096);
	} while (!run_job(&l, job) && !faulty_has_hit());
	if (l.err) /* it was under way already */
		n -= 4096;
	ck_assert_uint_ge(n, 4096);
	for (; !st.ended; usleep(1000)) /* poll */
		store_stats(l.store, &st);
	ck_assert(st.degraded);
	ck_assert_int_eq(run_job(&l, new_job()), -ENOTRECOVERABLE);
	close_it(&l);
	faulty_end();
	ck_assert_int_eq(open_at(&l, dir), 0);
	ck_assert_uint_eq(l.entries.n[ENTRY_REMOTE], n);
	close_it(&l);
	remove_dir(dir);
}
END_TEST

static void
on_copy(int fd, int err, void *arg)
{
	ck_assert_int_eq(fd, -1);
	*(int *)arg = err;
}

/* No room for a copy: it is said, and nothing is left of it. */
START_TEST(test_no_room_for_copy)
{
	struct loaded l;
	char dir[32];
	int err = 0;

	make_dir(dir);
	faulty_begin();
	ck_assert_int_eq(open_at(&l, dir), 0);
	faulty_set(FAULT_FULL, 1, true, 0);
	ck_assert_int_eq(store_backup(l.store, on_copy, &err), 0);
	while (!err)
		event_base_loop(l.base, EVLOOP_ONCE);
	ck_assert_int_eq(err, -ENOSPC);
	ck_assert(!has_file(dir, "mapperd.db.tmp-", NULL));
	close_it(&l);
	faulty_end();
	remove_dir(dir);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("store_faults");
	TCase *tc = tcase_create("store_faults");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_loop_test(tc, test_each_call_fails, FAULT_READ, FAULT_N);
	tcase_add_loop_test(
		tc, test_all_fail_from_one_on, FAULT_WRITE, FAULT_TRUNCATE);
	tcase_add_test(tc, test_slow_sync);
	tcase_add_test(tc, test_full);
	tcase_add_loop_test(tc, test_start_full, FAULT_FULL, FAULT_ROOM + 1);
	tcase_add_loop_test(
		tc, test_start_full_refused, FAULT_FULL, FAULT_ROOM + 1);
	tcase_add_test(tc, test_checkpoint_sync_fails);
	tcase_add_test(tc, test_no_room_for_copy);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
