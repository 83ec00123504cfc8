/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The texts. A row's sum covers who is meant and since when; not the end of its
 * lease and its name, which change, and whose loss leads nobody elsewhere.
 */
#include "mapperd/sql.h"

#include <endian.h>
#include <string.h>

#define T_META                                                                 \
	"CREATE TABLE meta(id INTEGER PRIMARY KEY CHECK(id = 1),"              \
	" identity INTEGER NOT NULL, revision INTEGER NOT NULL,"               \
	" clock INTEGER NOT NULL, boot INTEGER NOT NULL,"                      \
	" boot_id TEXT NOT NULL, clean INTEGER NOT NULL,"                      \
	" suspect_at INTEGER NOT NULL, backup INTEGER NOT NULL,"               \
	" oldest INTEGER NOT NULL, rows INTEGER NOT NULL,"                     \
	" sum INTEGER NOT NULL) STRICT;"
#define T_BLOCK                                                                \
	"CREATE TABLE block(first BLOB NOT NULL PRIMARY KEY,"                  \
	" sum INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;"
#define T_REMOVED                                                              \
	"CREATE TABLE removed(seq INTEGER PRIMARY KEY,"                        \
	" revision INTEGER NOT NULL, kind INTEGER NOT NULL, gw BLOB NOT NULL," \
	" ref BLOB NOT NULL, addr BLOB NOT NULL,"                              \
	" sum INTEGER NOT NULL DEFAULT 0) STRICT;"
#define T_SUM "sum INTEGER NOT NULL DEFAULT 0"

#define S_REMOTE  "row_sum('remote',ea,gw,ref,owner,cause,made,born)"
#define S_LOCAL	  "row_sum('local',gw,ref,ip,owner,cause,made,born)"
#define S_GONE	  "row_sum('gone',kind,value,since,cause)"
#define S_SOURCE  "row_sum('source',id,local,domain,held,hash,count)"
#define S_BATCH	  "row_sum('batch',source,gw,ref,ip,hash)"
#define S_WAITING "row_sum('waiting',source,gw,ref,ip)"
#define S_BLOCK	  "row_sum('block',first)"
#define S_REMOVED "row_sum('removed',seq,revision,kind,gw,ref,addr)"
#define S_SCHEMA  "row_sum('schema',type,name,tbl_name,sql)"
/* Whoever adds a table or an index of his own does no harm. */
#define OUR_SCHEMA                                                             \
	" FROM sqlite_schema WHERE name IN('meta','remote','local','gone',"    \
	"'source','batch','waiting','block','removed',"                        \
	"'sqlite_autoindex_remote_2','sqlite_autoindex_source_1')"

#define SUMMED(table, sum)                                                     \
	"ALTER TABLE " table " ADD COLUMN " T_SUM "; UPDATE " table            \
	" SET sum=" sum ";"

const char *const sql_text[SQL_N] = {
	[SQL_SETTINGS] = "PRAGMA synchronous=FULL; PRAGMA cache_size=-16384;"
			 "PRAGMA wal_autocheckpoint=0;"
			 "PRAGMA journal_size_limit=16777216;"
			 "PRAGMA temp_store=MEMORY; PRAGMA secure_delete=OFF",
	[SQL_LOADING] = "PRAGMA cache_size=-64",
	[SQL_WRITING] = "PRAGMA cache_size=-16384",
	[SQL_WAL] = "PRAGMA journal_mode=WAL",
	[SQL_COPY] = "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF",
	/* The index of the log is in memory then, not in a file. */
	[SQL_ALONE] = "PRAGMA locking_mode=EXCLUSIVE; PRAGMA query_only=ON;"
		      "PRAGMA temp_store=MEMORY",
	[SQL_VERSION] = "PRAGMA user_version",
	[SQL_TABLES] = "SELECT count(*) FROM sqlite_schema",
	[SQL_SCHEMA] = T_META T_BLOCK T_REMOVED
	"CREATE TABLE remote(ea BLOB NOT NULL PRIMARY KEY, gw BLOB NOT NULL,"
	" ref BLOB NOT NULL, owner INTEGER NOT NULL, cause INTEGER NOT NULL,"
	" made INTEGER NOT NULL, expires INTEGER NOT NULL,"
	" born INTEGER NOT NULL, name TEXT, " T_SUM ", UNIQUE(gw, ref))"
	" STRICT, WITHOUT ROWID;"
	"CREATE TABLE local(gw BLOB NOT NULL, ref BLOB NOT NULL,"
	" ip BLOB NOT NULL, owner INTEGER NOT NULL, cause INTEGER NOT NULL,"
	" made INTEGER NOT NULL, expires INTEGER NOT NULL,"
	" born INTEGER NOT NULL, name TEXT, " T_SUM ", PRIMARY KEY(gw, ref))"
	" STRICT, WITHOUT ROWID;"
	"CREATE TABLE gone(kind INTEGER NOT NULL, value BLOB NOT NULL,"
	" since INTEGER NOT NULL, cause INTEGER NOT NULL, " T_SUM ","
	" PRIMARY KEY(kind, value)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE source(id INTEGER PRIMARY KEY, local TEXT NOT NULL,"
	" domain TEXT NOT NULL, held INTEGER NOT NULL, hash INTEGER NOT NULL,"
	" count INTEGER NOT NULL, " T_SUM ", UNIQUE(local, domain)) STRICT;"
	"CREATE TABLE batch(source INTEGER NOT NULL, gw BLOB NOT NULL,"
	" ref BLOB NOT NULL, ip BLOB NOT NULL, hash INTEGER NOT NULL, " T_SUM
	", PRIMARY KEY(source, hash, gw, ref, ip)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE waiting(source INTEGER NOT NULL, gw BLOB NOT NULL,"
	" ref BLOB NOT NULL, ip BLOB NOT NULL, " T_SUM ","
	" PRIMARY KEY(source, gw, ref)) STRICT, WITHOUT ROWID;"
	"PRAGMA user_version=2",
	[SQL_MIGRATE_1] = SUMMED("remote", S_REMOTE) SUMMED("local", S_LOCAL)
		SUMMED("gone", S_GONE) SUMMED("source", S_SOURCE) SUMMED(
			"batch", S_BATCH) SUMMED("waiting",
			S_WAITING) "DROP TABLE meta;" T_META T_BLOCK T_REMOVED
				   "PRAGMA user_version=2",
	[SQL_META_1] = "SELECT identity,revision,clock,boot,boot_id FROM meta",
	[SQL_META] =
		"SELECT identity,revision,clock,boot,boot_id,clean,suspect_at,"
		"backup,oldest,rows,sum,row_sum('meta',identity,revision,"
		"clock,boot,boot_id,clean,suspect_at,backup,oldest,rows)"
		" FROM meta",
	[SQL_META_SET] = "INSERT OR REPLACE INTO meta"
			 " VALUES(1,?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,"
			 "row_sum('meta',?1,?2,?3,?4,?5,?6,?7,?8,?9,?10))",
	[SQL_SUMS] = "SELECT sum FROM remote UNION ALL SELECT sum FROM local"
		     " UNION ALL SELECT sum FROM gone"
		     " UNION ALL SELECT sum FROM source"
		     " UNION ALL SELECT sum FROM batch"
		     " UNION ALL SELECT sum FROM waiting"
		     " UNION ALL SELECT sum FROM block"
		     " UNION ALL SELECT sum FROM removed"
		     " UNION ALL SELECT " S_SCHEMA OUR_SCHEMA,
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_REMOVED_ADD] = "INSERT INTO removed VALUES(?1,?2,?3,?4,?5,?6,"
			    "row_sum('removed',?1,?2,?3,?4,?5,?6))",
	[SQL_REMOVED_ENDS] = "SELECT min(seq),max(seq) FROM removed",
	[SQL_REMOVED_DROP] = "DELETE FROM removed WHERE seq<?1"
			     " RETURNING revision,sum",
	[SQL_CHECK] = "PRAGMA quick_check(1)",
	[SQL_VACUUM] = "VACUUM INTO ?1",
};

#define PUT(sql, letters)                                                      \
	{                                                                      \
		.put = { sql, letters }                                        \
	}
#define TAKE(sql, letters)                                                     \
	{                                                                      \
		.take = { "DELETE FROM " sql " RETURNING sum", letters }       \
	}
/* A row, whether it is there already or not. */
#define RENEW(sql, letters, put_sql, put_letters)                              \
	{                                                                      \
		.take = {"DELETE FROM " sql " RETURNING sum", letters},        \
		.put = { "INSERT INTO " put_sql,                               \
			put_letters }                                          \
	}
#define GONE                                                                   \
	RENEW("gone WHERE kind=?1 AND value=?2", "Kv",                         \
		"gone VALUES(?1,?2,?3,?4,row_sum('gone',?1,?2,?3,?4))",        \
		"Kvmc")
#define FORGET TAKE("gone WHERE kind=?1 AND value=?2", "Kv")

/* An entry is removed by its primary key. */
const struct sql_op sql_ops[OP_N][2] = {
	[OP_ADD] =
		{
			PUT("INSERT INTO remote"
			    " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,"
			    "row_sum('remote',?1,?2,?3,?4,?5,?6,?8))",
				"agrocmebn"),
			PUT("INSERT INTO local"
			    " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,"
			    "row_sum('local',?1,?2,?3,?4,?5,?6,?8))",
				"graocmebn"),
		},
	[OP_DEL] =
		{
			TAKE("remote WHERE ea=?1 AND gw=?2 AND ref=?3"
			     " AND owner=?4",
				"agro"),
			TAKE("local WHERE gw=?1 AND ref=?2 AND owner=?3",
				"gro"),
		},
	[OP_LEASE] =
		{
			PUT("UPDATE remote SET expires=?1"
			    " WHERE gw=?2 AND ref=?3",
				"egr"),
			PUT("UPDATE local SET expires=?1"
			    " WHERE gw=?2 AND ref=?3",
				"egr"),
		},
	[OP_NAME] =
		{
			PUT("UPDATE remote SET name=?1"
			    " WHERE gw=?2 AND ref=?3",
				"ngr"),
			PUT("UPDATE local SET name=?1 WHERE gw=?2 AND ref=?3",
				"ngr"),
		},
	[OP_GONE] = {GONE, GONE},
	[OP_FORGET] = {FORGET, FORGET},
	[OP_SOURCE] = {RENEW("source WHERE id=?1", "o",
		"source VALUES(?1,?2,?3,?4,?5,?6,"
		"row_sum('source',?1,?2,?3,?4,?5,?6))",
		"oLDyhk")},
	[OP_SOURCE_DEL] = {TAKE("source WHERE id=?1", "o")},
	[OP_BATCH] = {RENEW("batch WHERE source=?1 AND gw=?2 AND ref=?3"
			    " AND ip=?4 AND hash=?5",
		"ograh",
		"batch VALUES(?1,?2,?3,?4,?5,"
		"row_sum('batch',?1,?2,?3,?4,?5))",
		"ograh")},
	[OP_BATCH_ONLY] =
		{
			TAKE("batch WHERE source=?1 AND hash<?2", "oh"),
			TAKE("batch WHERE source=?1 AND hash>?2", "oh"),
		},
	[OP_BATCH_CLEAR] = {TAKE("batch WHERE source=?1", "o")},
	[OP_WAIT] = {RENEW("waiting WHERE source=?1 AND gw=?2 AND ref=?3",
		"ogr",
		"waiting VALUES(?1,?2,?3,?4,"
		"row_sum('waiting',?1,?2,?3,?4))",
		"ogra")},
	[OP_WAIT_DEL] = {TAKE(
		"waiting WHERE source=?1 AND gw=?2 AND ref=?3", "ogr")},
	[OP_WAIT_CLEAR] = {TAKE("waiting WHERE source=?1", "o")},
	[OP_BLOCK] = {RENEW("block WHERE first=?1", "a",
		"block VALUES(?1,row_sum('block',?1))", "a")},
	[OP_BLOCK_DEL] = {TAKE("block WHERE first=?1", "a")},
};

#define LOAD(columns, sum, rest) "SELECT " columns ",sum," sum " FROM " rest

const struct sql_load sql_loads[SQL_LOADS] = {
	/* Ours as it was made; given to nobody. */
	{OP_N, ENTRY_REMOTE, "SELECT " S_SCHEMA "," S_SCHEMA OUR_SCHEMA, ""},
	{OP_SOURCE, ENTRY_REMOTE,
		LOAD("id,local,domain,held,hash,count", S_SOURCE, "source"),
		"oLDyhk"},
	{OP_ADD, ENTRY_LOCAL,
		LOAD("gw,ref,ip,owner,cause,made,expires,born,name", S_LOCAL,
			"local"),
		"graocmebn"},
	{OP_ADD, ENTRY_REMOTE,
		LOAD("ea,gw,ref,owner,cause,made,expires,born,name", S_REMOTE,
			"remote"),
		"agrocmebn"},
	{OP_DEL, ENTRY_REMOTE,
		LOAD("revision,kind,gw,ref,addr", S_REMOVED,
			"removed ORDER BY seq"),
		"bKgra"},
	{OP_GONE, ENTRY_REMOTE,
		LOAD("kind,value,since,cause", S_GONE, "gone ORDER BY since"),
		"Kvmc"},
	{OP_BLOCK, ENTRY_REMOTE, LOAD("first", S_BLOCK, "block"), "a"},
	{OP_WAIT, ENTRY_LOCAL, LOAD("source,gw,ref,ip", S_WAITING, "waiting"),
		"ogra"},
	{OP_BATCH, ENTRY_LOCAL, LOAD("source,gw,ref,ip,hash", S_BATCH, "batch"),
		"ograh"},
};

/* Going on from h: whichever single word changes, so does the result, as each
 * step can be undone. */
static uint64_t
sum_word(uint64_t h, uint64_t word)
{
	h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 32;
}

/* Of up to eight bytes, the first one lowest. */
static uint64_t
word_of(const uint8_t *p, size_t len)
{
	uint64_t word = 0;

	memcpy(&word, p, len);
	return le64toh(word);
}

static uint64_t
sum_bytes(uint64_t h, const uint8_t *p, size_t len)
{
	for (; len >= 8; len -= 8, p += 8)
		h = sum_word(h, word_of(p, 8));
	return len ? sum_word(h, word_of(p, len)) : h;
}

/* row_sum(...): over the values with their types and lengths. */
static void
row_sum(sqlite3_context *ctx, int n, sqlite3_value **values)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325), *last;
	const void *bytes;
	int i, len;

	for (i = 0; i < n; i++) {
		h = sum_word(h, (uint64_t)sqlite3_value_type(values[i]));
		if (sqlite3_value_type(values[i]) == SQLITE_INTEGER) {
			h = sum_word(
				h, (uint64_t)sqlite3_value_int64(values[i]));
			continue;
		}
		bytes = sqlite3_value_blob(values[i]);
		len = sqlite3_value_bytes(values[i]);
		h = sum_word(h, (uint64_t)len);
		h = sum_bytes(h, bytes, bytes ? (size_t)len : 0);
	}
	last = sqlite3_user_data(ctx);
	*last = h;
	sqlite3_result_int64(ctx, (sqlite3_int64)h);
}

int
sql_register(sqlite3 *db, uint64_t *last)
{
	return sqlite3_create_function_v2(db, "row_sum", -1,
		SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, last,
		row_sum, NULL, NULL, NULL);
}
