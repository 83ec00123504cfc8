/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SQLite store with an owner who keeps what is loaded, in a directory of
 * its own.
 */
#ifndef TESTS_UNIT_MAPPERD_STORE_RIG_H
#define TESTS_UNIT_MAPPERD_STORE_RIG_H

#include <dirent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "help.h"
#include "libipref/log.h"
#include "mapperd/sql.h"

#define RIG_REMOVED 128 /* removals that are kept */

struct loaded {
	struct entries entries;
	struct op ops[128]; /* all but entries */
	size_t n_ops;
	struct source source;
	unsigned done;
	int err; /* of the job done last */
	uint64_t revision;
	uint64_t removed[RIG_REMOVED]; /* the last revisions of removals */
	size_t n_removed;
	unsigned resets;
	struct event_base *base;
	struct store *store;
	int report; /* the killed child tells here what is stored */
};

static inline int
on_load(const struct op *op, void *arg)
{
	struct loaded *l = arg;

	if (op->kind == OP_ADD)
		return entries_add(&l->entries, &op->data, NULL);
	if (op->kind == OP_DEL) {
		l->removed[l->n_removed++ % RIG_REMOVED] = op->data.born;
		return 0;
	}
	ck_assert_uint_lt(l->n_ops, ARRAY_LEN(l->ops));
	l->ops[l->n_ops] = *op;
	l->ops[l->n_ops++].source = NULL;
	if (op->source)
		l->source = *op->source;
	return 0;
}

static inline void
on_done(struct store_job *job, void *arg)
{
	struct loaded *l = arg;
	size_t i;

	l->done++;
	l->err = job->err;
	l->revision = job->revision;
	for (i = 0; l->report >= 0 && !job->err && i < job->change.n; i++)
		if (job->change.ops[i].kind == OP_ADD &&
			write(l->report, &job->change.ops[i].data.key,
				sizeof(struct entry_key)) < 0)
			abort();
	change_fini(&job->change);
	free(job);
}

/* In memory where that is possible: syncing is not what takes the time then. */
static inline void
make_dir(char dir[32])
{
	strcpy(dir, "/dev/shm/ipref-store-XXXXXX");
	if (mkdtemp(dir))
		return;
	strcpy(dir, "/tmp/ipref-store-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

/* Whether the directory has a file whose name begins so; out receives the path
 * of the last one of them, and may be NULL. */
static inline bool
has_file(const char *dir, const char *prefix, char out[320])
{
	DIR *d = opendir(dir);
	struct dirent *e;
	bool found = false;

	ck_assert_ptr_nonnull(d);
	while ((e = readdir(d)))
		if (!strncmp(e->d_name, prefix, strlen(prefix))) {
			found = true;
			if (out)
				snprintf(out, 320, "%s/%s", dir, e->d_name);
		}
	closedir(d);
	return found;
}

static inline void
remove_dir(const char *dir)
{
	char path[320];

	while (has_file(dir, "mapperd.", path))
		ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}

static inline int
on_reset(void *arg)
{
	struct loaded *l = arg;

	entries_fini(&l->entries);
	entries_init(&l->entries, 1 << 20);
	l->n_ops = 0;
	l->n_removed = 0;
	l->resets++;
	return 0;
}

static inline int
open_at(struct loaded *l, const char *dir)
{
	struct store_hooks hooks = {
		.load = on_load, .reset = on_reset, .done = on_done, .arg = l};

	*l = (struct loaded){.report = -1};
	entries_init(&l->entries, 1 << 20);
	l->base = event_base_new();
	return store_open(&l->store, dir, l->base, &hooks);
}

/* What a failed open leaves is fine, too. */
static inline void
close_it(struct loaded *l)
{
	store_close(l->store);
	event_base_free(l->base);
	entries_fini(&l->entries);
}

static inline struct store_job *
new_job(void)
{
	return calloc(1, sizeof(struct store_job));
}

/* Submits and waits until it is done; its result. */
static inline int
run_job(struct loaded *l, struct store_job *job)
{
	unsigned before = l->done;

	ck_assert_int_eq(store_submit(l->store, job), 0);
	while (l->done == before)
		event_base_loop(l->base, EVLOOP_ONCE);
	return l->err;
}

static inline struct entry_data
remote(uint32_t i)
{
	struct entry_data d = {
		.kind = ENTRY_REMOTE,
		.cause = CAUSE_PEER,
		.owner = OWNER_MAPPER,
		.addr = addr_of("10.240.0.0"),
		.key = {addr_of("192.0.2.7"), ref_from_u64(i + 1)},
		.made = 5001,
		.expires = UINT64_MAX / 2,
	};

	d.addr.b[1] = (uint8_t)(240 | i >> 16);
	d.addr.b[2] = (uint8_t)(i >> 8);
	d.addr.b[3] = (uint8_t)i;
	return d;
}

/* Whether the child ended well. */
static inline bool
wait_for(pid_t pid)
{
	int status;

	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

static inline void
path_of(char out[64], const char *dir, const char *name)
{
	snprintf(out, 64, "%s/%s", dir, name);
}

static inline long
size_of(const char *path)
{
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	return (long)st.st_size;
}

static inline void
put_bytes(const char *path, long at, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, bytes, len, at), (ssize_t)len);
	close(fd);
}

/* A database as it was left. */
struct image {
	uint8_t *db, *wal; /* owned; or NULL */
	size_t db_len, wal_len;
};

static inline uint8_t *
read_all(const char *dir, const char *name, size_t *len)
{
	char path[64];
	uint8_t *bytes;
	int fd;

	path_of(path, dir, name);
	fd = open(path, O_RDONLY);
	*len = 0;
	if (fd < 0)
		return NULL;
	*len = (size_t)size_of(path);
	bytes = malloc(*len + 1);
	ck_assert_int_eq(read(fd, bytes, *len), (ssize_t)*len);
	close(fd);
	return bytes;
}

static inline struct image
take_image(const char *dir)
{
	struct image im;

	im.db = read_all(dir, "mapperd.db", &im.db_len);
	im.wal = read_all(dir, "mapperd.db-wal", &im.wal_len);
	ck_assert_ptr_nonnull(im.db);
	return im;
}

static inline void
put_image(const struct image *im, const char *dir, size_t db_len)
{
	char path[64];

	path_of(path, dir, "mapperd.db");
	close(open(path, O_WRONLY | O_CREAT, 0600));
	put_bytes(path, 0, im->db, db_len);
	if (!im->wal)
		return;
	path_of(path, dir, "mapperd.db-wal");
	close(open(path, O_WRONLY | O_CREAT, 0600));
	put_bytes(path, 0, im->wal, im->wal_len);
}

static inline void
free_image(struct image *im)
{
	free(im->db);
	free(im->wal);
}

/* Runs SQL on a closed database, as somebody who knows how its sums are made.
 */
static inline void
tamper(const char *dir, const char *sql)
{
	uint64_t last;
	char path[64];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/mapperd.db", dir);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sql_register(db, &last), SQLITE_OK);
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK,
		"%s: %s", sql, sqlite3_errmsg(db));
	sqlite3_close(db);
}

#define SUM_META                                                               \
	"UPDATE meta SET sum=row_sum('meta',identity,revision,clock,boot,"     \
	"boot_id,clean,suspect_at,backup,oldest,rows)"

#endif
