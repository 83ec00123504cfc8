/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The database as it is found at start: of another version, damaged, put there
 * from a backup. */
#include "store_rig.h"
#include "tests/unit/run.h"

/* What a version 1 made, with one of each thing in it. */
static const char version_1[] =
	"CREATE TABLE meta(id INTEGER PRIMARY KEY CHECK(id = 1),"
	" identity INTEGER NOT NULL, revision INTEGER NOT NULL,"
	" clock INTEGER NOT NULL, boot INTEGER NOT NULL,"
	" boot_id TEXT NOT NULL) STRICT;"
	"CREATE TABLE remote(ea BLOB NOT NULL PRIMARY KEY, gw BLOB NOT NULL,"
	" ref BLOB NOT NULL, owner INTEGER NOT NULL, cause INTEGER NOT NULL,"
	" made INTEGER NOT NULL, expires INTEGER NOT NULL,"
	" born INTEGER NOT NULL, name TEXT, UNIQUE(gw, ref))"
	" STRICT, WITHOUT ROWID;"
	"CREATE TABLE local(gw BLOB NOT NULL, ref BLOB NOT NULL,"
	" ip BLOB NOT NULL, owner INTEGER NOT NULL, cause INTEGER NOT NULL,"
	" made INTEGER NOT NULL, expires INTEGER NOT NULL,"
	" born INTEGER NOT NULL, name TEXT, PRIMARY KEY(gw, ref))"
	" STRICT, WITHOUT ROWID;"
	"CREATE TABLE gone(kind INTEGER NOT NULL, value BLOB NOT NULL,"
	" since INTEGER NOT NULL, cause INTEGER NOT NULL,"
	" PRIMARY KEY(kind, value)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE source(id INTEGER PRIMARY KEY, local TEXT NOT NULL,"
	" domain TEXT NOT NULL, held INTEGER NOT NULL, hash INTEGER NOT NULL,"
	" count INTEGER NOT NULL, UNIQUE(local, domain)) STRICT;"
	"CREATE TABLE batch(source INTEGER NOT NULL, gw BLOB NOT NULL,"
	" ref BLOB NOT NULL, ip BLOB NOT NULL, hash INTEGER NOT NULL,"
	" PRIMARY KEY(source, hash, gw, ref, ip)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE waiting(source INTEGER NOT NULL, gw BLOB NOT NULL,"
	" ref BLOB NOT NULL, ip BLOB NOT NULL,"
	" PRIMARY KEY(source, gw, ref)) STRICT, WITHOUT ROWID;"
	"PRAGMA user_version=1;"
	"INSERT INTO meta VALUES(1,4711,12,5000000000000,0,'');"
	"INSERT INTO remote VALUES(x'0af00001',x'c0000207',"
	"x'00000000000000000000000000000002',1,2,5,6,7,'h.example.');"
	"INSERT INTO local VALUES(x'00000000',"
	"x'00000000000000000000000000000003',x'c0a80001',16,0,5,0,8,NULL);"
	"INSERT INTO gone VALUES(0,x'0af00002',9,1);"
	"INSERT INTO source VALUES(16,'int.example','example.com',1,99,1);"
	"INSERT INTO batch VALUES(16,x'00000000',"
	"x'00000000000000000000000000000004',x'c0a80002',98);"
	"INSERT INTO waiting VALUES(16,x'00000000',"
	"x'00000000000000000000000000000005',x'c0a80003');"
	"PRAGMA journal_mode=WAL";

static void
check_migrated(struct loaded *l)
{
	struct entry_key key = {addr_of("192.0.2.7"), ref_from_u64(2)};
	struct entry *e = entries_remote(&l->entries, &key);

	ck_assert_uint_eq(l->store->revision, 12);
	/* What was removed before is not known. */
	ck_assert_uint_eq(l->store->oldest, 12);
	ck_assert_uint_eq(l->store->suspect_at, 0);
	ck_assert_int_ge(l->store->clock_offset + (int64_t)now_ms(),
		INT64_C(5000000000000));
	ck_assert_ptr_nonnull(e);
	ck_assert_str_eq(e->name, "h.example.");
	ck_assert_uint_eq(e->born, 7);
	ck_assert_uint_eq(l->entries.n[ENTRY_LOCAL], 1);
	ck_assert_uint_eq(l->n_ops, 4);
	ck_assert_uint_eq(l->n_removed, 0);
}

START_TEST(test_migration)
{
	char dir[32], copy[64];
	struct loaded l;
	sqlite3 *db;
	int round;

	make_dir(dir);
	tamper(dir, version_1);
	/* The second time it is of today's version already. */
	for (round = 0; round < 2; round++) {
		ck_assert_int_eq(open_at(&l, dir), 0);
		ck_assert_uint_eq(l.store->identity, 4711);
		check_migrated(&l);
		ck_assert_uint_eq(l.resets, 0);
		close_it(&l);
	}
	/* The copy is what was there before. */
	snprintf(copy, sizeof(copy), "%s/mapperd.db.v1-backup", dir);
	ck_assert_int_eq(sqlite3_open(copy, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db,
				 "SELECT identity,revision,clock,boot,boot_id"
				 " FROM meta",
				 NULL, NULL, NULL),
		SQLITE_OK);
	sqlite3_close(db);
	/* Put back, it is a restored one. */
	snprintf(copy, sizeof(copy), "cd %s && mv *v1-backup mapperd.db", dir);
	ck_assert_int_eq(system(copy), 0);
	ck_assert_int_eq(open_at(&l, dir), 0);
	ck_assert_uint_ne(l.store->identity, 4711);
	ck_assert_uint_ge(l.store->suspect_at, UINT64_C(5000000000000));
	ck_assert_uint_eq(l.n_ops, 4);
	close_it(&l);
	remove_dir(dir);
}
END_TEST

/* Without room for the copy nothing is touched. */
START_TEST(test_no_migration_without_copy)
{
	char dir[32], path[64];
	struct loaded l;

	make_dir(dir);
	tamper(dir, version_1);
	snprintf(path, sizeof(path), "%s/mapperd.db.v1-backup", dir);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_lt(open_at(&l, dir), 0);
	close_it(&l);
	ck_assert(!has_file(dir, "mapperd.db.damaged", NULL));
	ck_assert(!has_file(dir, "mapperd.db.tmp-", NULL));
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(open_at(&l, dir), 0);
	check_migrated(&l);
	close_it(&l);
	remove_dir(dir);
}
END_TEST

/* A copy that was put there is one until it has become ours, however many
 * starts that takes. */
START_TEST(test_copy_of_many_starts)
{
	char dir[32], path[64];
	struct loaded l;
	int round;

	make_dir(dir);
	tamper(dir, version_1);
	tamper(dir, "PRAGMA journal_mode=DELETE");
	snprintf(path, sizeof(path), "%s/mapperd.db.v1-backup", dir);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	for (round = 0; round < 2; round++) {
		ck_assert_int_lt(open_at(&l, dir), 0);
		close_it(&l);
	}
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(open_at(&l, dir), 0);
	ck_assert_uint_ge(l.store->suspect_at, UINT64_C(5000000000000));
	ck_assert_uint_ne(l.store->identity, 4711);
	close_it(&l);
	ck_assert(!has_file(dir, "mapperd.db.restored", NULL));
	remove_dir(dir);
}
END_TEST

START_TEST(test_newer_version)
{
	struct loaded l;
	char dir[32];

	make_dir(dir);
	ck_assert_int_eq(open_at(&l, dir), 0);
	close_it(&l);
	/* With a meta of its own: sql.h. */
	tamper(dir, "PRAGMA user_version=3; UPDATE meta SET sum=sum+1");
	ck_assert_int_eq(open_at(&l, dir), -EPROTO);
	close_it(&l);
	ck_assert(!has_file(dir, "mapperd.db.damaged", NULL));
	tamper(dir, "PRAGMA user_version=2; UPDATE meta SET sum=sum-1");
	ck_assert_int_eq(open_at(&l, dir), 0);
	close_it(&l);
	remove_dir(dir);
}
END_TEST

RUN_TESTS("store_files", test_migration, test_no_migration_without_copy,
	test_copy_of_many_starts, test_newer_version)
