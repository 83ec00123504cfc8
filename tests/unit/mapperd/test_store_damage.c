/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that are not what was written: they are set aside, never believed, and
 * what is loaded is what was acknowledged. */
#include "store_rig.h"
#include "tests/unit/run.h"

#define ENTRIES 600 /* some pages of each table */
#define ROUNDS	80
#define NOBODY	65534

/* Several jobs of entries, some of which are removed again. */
static void
fill(struct loaded *l)
{
	struct entry_data d;
	struct store_job *job;
	uint32_t i, k;

	for (i = 0; i < ENTRIES; i += 20) {
		job = new_job();
		for (k = i; k < i + 20; k++) {
			d = remote(k);
			change_add(&job->change, &d);
			d.kind = ENTRY_LOCAL;
			d.key.gw = addr_zero(4);
			change_add(&job->change, &d);
		}
		ck_assert_int_eq(run_job(l, job), 0);
	}
	job = new_job();
	for (i = 0; i < ENTRIES; i += 10) {
		d = remote(i);
		change_op(&job->change, OP_DEL)->data = d;
		change_op(&job->change, OP_GONE)->data = d;
	}
	ck_assert_int_eq(run_job(l, job), 0);
}

static void
make_filled(const char *dir, bool closed)
{
	struct loaded l;
	pid_t pid;

	if (closed) {
		ck_assert_int_eq(open_at(&l, dir), 0);
		fill(&l);
		close_it(&l);
		return;
	}
	pid = fork();
	if (!pid) {
		if (open_at(&l, dir))
			_exit(1);
		fill(&l);
		_exit(0); /* as if killed */
	}
	ck_assert(wait_for(pid));
}

/* Everything that fill() had acknowledged, and nothing else. */
static void
check_filled(struct loaded *l)
{
	struct entry_data d;
	struct entry *e;
	uint32_t i;

	ck_assert_uint_eq(l->entries.n[ENTRY_REMOTE], ENTRIES * 9 / 10);
	ck_assert_uint_eq(l->entries.n[ENTRY_LOCAL], ENTRIES);
	for (i = 0; i < ENTRIES; i++) {
		d = remote(i);
		e = entries_remote(&l->entries, &d.key);
		ck_assert_int_eq(e != NULL, i % 10 != 0);
		ck_assert(!e ||
			  (addr_eq(&e->addr, &d.addr) && e->owner == d.owner &&
				  e->made_s == d.made / 1000));
		d.key.gw = addr_zero(4);
		e = entries_local(&l->entries, &d.key);
		ck_assert(e && addr_eq(&e->addr, &d.addr));
	}
	ck_assert_uint_eq(l->n_ops, 60);
	ck_assert_uint_eq(l->n_removed, 60);
}

/* The file was set aside, and a new one says so. */
static void
check_anew(struct loaded *l, const char *dir, uint64_t identity)
{
	uint64_t now = now_ms() + (uint64_t)l->store->clock_offset;

	ck_assert(has_file(dir, "mapperd.db.damaged-", NULL));
	ck_assert_uint_ne(l->store->identity, identity);
	ck_assert_uint_eq(l->store->revision, 0);
	ck_assert_uint_eq(l->entries.n[ENTRY_REMOTE], 0);
	ck_assert_uint_eq(l->entries.n[ENTRY_LOCAL], 0);
	ck_assert_uint_eq(l->n_ops + l->n_removed, 0);
	ck_assert_uint_gt(l->store->suspect_at, 0);
	ck_assert_uint_le(l->store->suspect_at, now);
}

/* The damage is noticed; and from then on all is as with a new one. */
static void
check_set_aside(const char *dir)
{
	uint64_t identity, suspect_at;
	struct loaded l;

	ck_assert_int_eq(open_at(&l, dir), 0);
	check_anew(&l, dir, 0);
	identity = l.store->identity;
	suspect_at = l.store->suspect_at;
	fill(&l);
	close_it(&l);
	ck_assert_int_eq(open_at(&l, dir), 0);
	check_filled(&l);
	ck_assert_uint_eq(l.store->identity, identity);
	ck_assert_uint_eq(l.store->suspect_at, suspect_at);
	close_it(&l);
	remove_dir(dir);
}

START_TEST(test_tampered)
{
	static const char *const ways[] = {
		"DELETE FROM meta",
		"UPDATE meta SET revision=1",
		"UPDATE remote SET owner=17 WHERE ea=x'0af00001'",
		"UPDATE local SET ip=x'0a000001' WHERE ip=x'0af00004'",
		"UPDATE gone SET since=1",
		"UPDATE removed SET revision=1",
		"DELETE FROM remote WHERE ea=x'0af00001'",
		"DELETE FROM removed",
		"DROP TABLE waiting",
		"PRAGMA user_version=0",
		"PRAGMA user_version=1",
		"PRAGMA user_version=3",
		"PRAGMA user_version=-2147483646",
	};
	char dir[32];
	size_t i;

	for (i = 0; i < ARRAY_LEN(ways); i++) {
		make_dir(dir);
		make_filled(dir, true);
		tamper(dir, ways[i]);
		check_set_aside(dir);
	}
}
END_TEST

START_TEST(test_other_files)
{
	static const char text[] = "this is no database, and was none before";
	char dir[32], path[64];

	make_dir(dir);
	make_filled(dir, true);
	path_of(path, dir, "mapperd.db");
	put_bytes(path, 0, text, sizeof(text));
	check_set_aside(dir);

	make_dir(dir);
	make_filled(dir, true);
	path_of(path, dir, "mapperd.db");
	ck_assert_int_eq(truncate(path, 0), 0);
	check_set_aside(dir);

	make_dir(dir);
	make_filled(dir, false);
	path_of(path, dir, "mapperd.db-wal");
	put_bytes(path, 0, text, sizeof(text));
	check_set_aside(dir);

	/* The header's word for "never to be written". */
	make_dir(dir);
	make_filled(dir, true);
	path_of(path, dir, "mapperd.db");
	put_bytes(path, 18, "\3", 1);
	check_set_aside(dir);
}
END_TEST

/* What can't be opened is not damaged. */
START_TEST(test_not_damaged)
{
	char dir[32], path[64];
	struct loaded l;

	make_dir(dir);
	path_of(path, dir, "mapperd.db");
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_lt(open_at(&l, dir), 0);
	close_it(&l);
	ck_assert(!has_file(dir, "mapperd.db.damaged", NULL));
	ck_assert_int_eq(rmdir(path), 0);
	remove_dir(dir);
}
END_TEST

/* Nor is what somebody else owns: it is refused, and when it was given to us
 * nothing stands in the way. */
START_TEST(test_not_ours)
{
	char dir[32], path[64];
	struct loaded l;
	pid_t pid;

	if (geteuid())
		return;
	make_dir(dir);
	make_filled(dir, true);
	path_of(path, dir, "mapperd.db");
	ck_assert_int_eq(chmod(path, 0444), 0);
	ck_assert_int_eq(chmod(dir, 0777), 0);
	ck_assert_int_eq(unlink(strcat(strcpy(path, dir), "/mapperd.lock")), 0);
	pid = fork();
	if (!pid)
		_exit(setuid(NOBODY) || open_at(&l, dir) != -EACCES);
	ck_assert(wait_for(pid));
	ck_assert_int_eq(open_at(&l, dir), 0);
	check_filled(&l);
	ck_assert_uint_eq(l.store->suspect_at, 0);
	close_it(&l);
	ck_assert(!has_file(dir, "mapperd.db.damaged", NULL));
	remove_dir(dir);
}
END_TEST

/* A log without its database is what is left of one that was in use: nobody
 * knows what it had handed out. */
START_TEST(test_only_the_log)
{
	char dir[32], path[64];

	make_dir(dir);
	make_filled(dir, false);
	path_of(path, dir, "mapperd.db");
	ck_assert_int_eq(unlink(path), 0);
	check_set_aside(dir);
}
END_TEST

/* Without its log a database that was in use may be of an earlier time: what it
 * says is kept, and what it does not say is not relied on. */
START_TEST(test_without_its_log)
{
	char dir[32], path[64];
	uint64_t since;
	struct loaded l;
	pid_t pid;

	make_dir(dir);
	make_filled(dir, true);
	pid = fork();
	if (!pid)
		_exit(open_at(&l, dir) != 0); /* as if killed */
	ck_assert(wait_for(pid));
	path_of(path, dir, "mapperd.db-wal");
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(open_at(&l, dir), 0);
	check_filled(&l);
	ck_assert_uint_gt(l.store->suspect_at, 0);
	since = l.store->suspect_at;
	close_it(&l);
	ck_assert_int_eq(open_at(&l, dir), 0);
	ck_assert_uint_eq(l.store->suspect_at, since);
	close_it(&l);
	ck_assert(!has_file(dir, "mapperd.db.damaged", NULL));
	remove_dir(dir);
}
END_TEST

/* A place for it that is not there, on a disk perhaps that is not mounted. */
START_TEST(test_link_to_nowhere)
{
	char dir[32], path[64];
	struct loaded l;
	struct stat st;

	make_dir(dir);
	path_of(path, dir, "mapperd.db");
	ck_assert_int_eq(symlink("/nonexistent/mapperd.db", path), 0);
	ck_assert_int_eq(open_at(&l, dir), -ENOENT);
	close_it(&l);
	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert(S_ISLNK(st.st_mode));
	remove_dir(dir);
}
END_TEST

/* Page 0 is not counted. */
static long
root_page(const char *dir, const char *name)
{
	sqlite3_stmt *st;
	char path[64];
	sqlite3 *db;
	long page;

	path_of(path, dir, "mapperd.db");
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_prepare_v2(db,
				 "SELECT rootpage FROM sqlite_schema"
				 " WHERE name=?1",
				 -1, &st, NULL),
		SQLITE_OK);
	sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
	ck_assert_int_eq(sqlite3_step(st), SQLITE_ROW);
	page = (long)sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return page;
}

static void
on_copy(int fd, int err, void *arg)
{
	ck_assert_int_eq(fd, -1);
	*(int *)arg = err;
}

/* Damage where loading does not look is found beside serving, after a stop that
 * was none: nothing is stored any more, and the next start sets it aside. */
START_TEST(test_found_later)
{
	char dir[32], path[64], garbage[64];
	struct store_stats st;
	struct loaded l;
	uint64_t identity;
	int err = 0;

	memset(garbage, 0xa5, sizeof(garbage));
	make_dir(dir);
	make_filled(dir, true);
	tamper(dir, "UPDATE meta SET clean=0;" SUM_META);
	path_of(path, dir, "mapperd.db");
	put_bytes(path,
		(root_page(dir, "sqlite_autoindex_remote_2") - 1) * 4096 + 8,
		garbage, sizeof(garbage));
	ck_assert_int_eq(open_at(&l, dir), 0);
	check_filled(&l);
	identity = l.store->identity;
	for (store_stats(l.store, &st); st.checking; store_stats(l.store, &st))
		event_base_loop(l.base, EVLOOP_ONCE);
	ck_assert(st.degraded);
	ck_assert_str_ne(st.reason, "");
	ck_assert_int_eq(run_job(&l, new_job()), -EBADMSG);
	store_stats(l.store, &st);
	ck_assert(st.degraded);
	/* Nor is it handed out as a backup. */
	ck_assert_int_eq(store_backup(l.store, on_copy, &err), 0);
	while (!err)
		event_base_loop(l.base, EVLOOP_ONCE);
	ck_assert_int_eq(err, -EBADMSG);
	close_it(&l);
	ck_assert(has_file(dir, "mapperd.db.damaged", NULL));

	ck_assert_int_eq(open_at(&l, dir), 0);
	check_anew(&l, dir, identity);
	close_it(&l);
	check_set_aside(dir);
}
END_TEST

static struct image
make_image(bool closed)
{
	struct image im;
	char dir[32];

	make_dir(dir);
	make_filled(dir, closed);
	im = take_image(dir);
	ck_assert(closed == !im.wal);
	remove_dir(dir);
	return im;
}

/* Either all that was acknowledged, or set aside. */
static void
check_one(const char *dir, unsigned seed)
{
	struct loaded l;
	int err = open_at(&l, dir);

	ck_assert_msg(!err, "seed %u: %d", seed, err);
	if (has_file(dir, "mapperd.db.damaged-", NULL))
		check_anew(&l, dir, 0);
	else
		check_filled(&l);
	close_it(&l);
}

static void
rounds_of(bool closed, bool cut)
{
	struct image im = make_image(closed);
	struct dice dice;
	unsigned seed;
	char dir[32];
	size_t at;
	uint8_t was;

	for (seed = 1; seed <= ROUNDS; seed++) {
		dice = (struct dice){seed * UINT64_C(0x9e3779b97f4a7c15)};
		at = roll_below(&dice, im.db_len);
		/* Half of them where all is decided. */
		if (roll_below(&dice, 2))
			at = roll_below(&dice, cut ? 8192 : 400) % im.db_len;
		make_dir(dir);
		was = im.db[at];
		im.db[at] ^= (uint8_t)(1 + roll_below(&dice, 255));
		put_image(&im, dir, cut ? at : im.db_len);
		im.db[at] = was;
		check_one(dir, seed);
		remove_dir(dir);
	}
	free_image(&im);
}

START_TEST(test_cut)
{
	rounds_of(true, true);
}
END_TEST

START_TEST(test_flipped)
{
	rounds_of(true, false);
}
END_TEST

START_TEST(test_flipped_beside_log)
{
	rounds_of(false, false);
}
END_TEST

/* The header has no sum: some bits of each byte. */
static void
each_header_byte(bool closed)
{
	struct image im = make_image(closed);
	char dir[32];
	unsigned bit;

	for (bit = 0; bit < 100 * 8; bit += 3) {
		make_dir(dir);
		im.db[bit / 8] ^= (uint8_t)(1 << bit % 8);
		put_image(&im, dir, im.db_len);
		im.db[bit / 8] ^= (uint8_t)(1 << bit % 8);
		check_one(dir, bit);
		ck_assert(!has_file(dir, "mapperd.db.v1-backup", NULL));
		remove_dir(dir);
	}
	free_image(&im);
}

START_TEST(test_header)
{
	each_header_byte(true);
}
END_TEST

START_TEST(test_header_beside_log)
{
	each_header_byte(false);
}
END_TEST

/* In the log, in front of the last transaction: SQLite alone would go on with
 * an older state. */
START_TEST(test_flipped_log)
{
	struct image im = make_image(false);
	struct dice dice = {4711};
	struct loaded l;
	char dir[32];
	unsigned i;
	size_t at;

	for (i = 0; i < ROUNDS; i++) {
		make_dir(dir);
		at = roll_below(&dice, im.wal_len / 2);
		im.wal[at] ^= 0x10;
		put_image(&im, dir, im.db_len);
		im.wal[at] ^= 0x10;
		ck_assert_int_eq(open_at(&l, dir), 0);
		check_anew(&l, dir, 0);
		close_it(&l);
		remove_dir(dir);
	}
	free_image(&im);
}
END_TEST

RUN_TESTS("store_damage", test_tampered, test_other_files, test_not_damaged,
	test_not_ours, test_only_the_log, test_without_its_log,
	test_link_to_nowhere, test_found_later, test_cut, test_flipped,
	test_flipped_beside_log, test_header, test_header_beside_log,
	test_flipped_log)
