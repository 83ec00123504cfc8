/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Invariants: a task has a thread from its beginning until the loop, told
 * through `notify`, has joined it; `db` and `ended` are guarded by lock; the
 * rest of a task is its thread's until it has ended.
 */
#include "mapperd/sidework.h"

#include <event2/event.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "libipref/log.h"
#include "mapperd/dbconn.h"

#define INTERRUPT_MS 10 /* again, until it has had an effect */

struct task {
	struct sidework *owner;
	void (*work)(struct task *t);
	struct dbconn conn;
	pthread_t thread;
	bool begun;  /* the loop's: there is a thread */
	sqlite3 *db; /* that may be interrupted, or NULL */
	bool ended;
};

struct sidework {
	struct sidework_config cfg;
	struct task check, backup;
	store_backup_fn done; /* of the backup */
	void *done_arg;
	int fd, err; /* the backup's result */
	pthread_mutex_t lock;
	pthread_cond_t changed; /* a task has ended */
	int notify;		/* eventfd: the same, for the loop */
	struct event *notified;
};

/* What quick_check says: in order, a page that can't be read, or damage, which
 * why receives. */
static int
judge(const char *said, char *why, size_t size)
{
	static const char unreadable[] = "error code=";
	const char *code = strstr(said, unreadable);
	/* A first line may say which database is meant. */
	const char *line = strchr(said, '\n');
	int rc = SQLITE_CORRUPT;

	if (!strcmp(said, "ok"))
		return SQLITE_OK;
	if (code)
		rc = atoi(code + strlen(unreadable));
	snprintf(why, size, "%s", line ? line + 1 : said);
	return rc ? rc : SQLITE_CORRUPT;
}

static void
check(struct task *t)
{
	const struct sidework_config *cfg = &t->owner->cfg;
	char why[128] = "";
	sqlite3_stmt *st = NULL;
	const char *said;
	int rc = dbconn_prepare(&t->conn, sql_text[SQL_CHECK], &st);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		said = (const char *)sqlite3_column_text(st, 0);
		rc = said ? judge(said, why, sizeof(why)) : SQLITE_NOMEM;
	}
	sqlite3_finalize(st);
	if (rc == SQLITE_OK)
		cfg->checked(NULL, cfg->arg);
	else if (dbconn_errno(rc) == -EBADMSG)
		cfg->checked(why[0] ? why : sqlite3_errstr(rc), cfg->arg);
	else if (dbconn_errno(rc) != -EINTR)
		log_warn("store: %s: can't be looked through: %s", cfg->dir->db,
			why[0] ? why : sqlite3_errstr(rc));
}

static int
copy_into(struct task *t, const char *path)
{
	sqlite3_stmt *st = NULL;
	int rc = dbconn_prepare(&t->conn, sql_text[SQL_VACUUM], &st);

	if (rc == SQLITE_OK) {
		sqlite3_bind_text(st, 1, path, -1, SQLITE_STATIC);
		rc = dbconn_run(&t->conn, st);
	}
	sqlite3_finalize(st);
	return dbconn_errno(rc);
}

/* So that it is known for a copy when it is opened in place of the original. */
static int
mark_as_backup(const char *path)
{
	struct dbconn c = {0};
	struct dbmeta m;
	int rc = dbconn_open(&c, path, DBCONN_COPY);

	if (rc == SQLITE_OK)
		rc = dbmeta_read(&c, &m);
	if (rc == SQLITE_OK) {
		m.backup = 1;
		m.clean = 1;
		rc = dbmeta_write(&c, &m);
	}
	dbconn_close(&c);
	return dbconn_errno(rc);
}

/* The fd of a copy without a name. */
static int
make_copy(struct task *t, int *fd)
{
	const struct dbdir *dir = t->owner->cfg.dir;
	char path[DBDIR_PATH_MAX];
	int err = dbdir_room(dir);

	if (!err)
		err = dbdir_temp(dir, path);
	if (err)
		return err;
	err = copy_into(t, path);
	if (!err)
		err = mark_as_backup(path);
	if (!err) {
		*fd = open(path, O_RDONLY | O_CLOEXEC);
		if (*fd < 0)
			err = -errno;
	}
	unlink(path);
	if (!err && fsync(*fd)) {
		err = -errno;
		close(*fd);
		*fd = -1;
	}
	return err;
}

static void
backup(struct task *t)
{
	struct sidework *w = t->owner;

	w->err = make_copy(t, &w->fd);
	if (w->err == -EINTR)
		w->err = -ECANCELED;
}

static void
set_db(struct task *t, sqlite3 *db)
{
	pthread_mutex_lock(&t->owner->lock);
	t->db = db;
	pthread_mutex_unlock(&t->owner->lock);
}

static void *
task_main(void *arg)
{
	struct task *t = arg;
	struct sidework *w = t->owner;
	uint64_t one = 1;
	int rc = dbconn_open(&t->conn, w->cfg.dir->db, DBCONN_READER);

	set_db(t, t->conn.db);
	if (rc == SQLITE_OK)
		t->work(t);
	else if (t == &w->backup)
		w->err = dbconn_errno(rc);
	set_db(t, NULL);
	dbconn_close(&t->conn);
	pthread_mutex_lock(&w->lock);
	t->ended = true;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
	/* Can only fail when the counter is full: then the loop is told. */
	if (write(w->notify, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_err_errno(errno, "store: can't wake the loop");
	return NULL;
}

/* The thread takes no signals: they are the loop's. */
static int
begin(struct task *t)
{
	sigset_t all, before;
	int err;

	t->ended = false;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&t->thread, NULL, task_main, t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	t->begun = !err;
	return -err;
}

static bool
has_ended(struct task *t)
{
	bool ended;

	pthread_mutex_lock(&t->owner->lock);
	ended = t->ended;
	pthread_mutex_unlock(&t->owner->lock);
	return ended;
}

/* In the loop, when its thread is done or about to be. */
static void
join(struct task *t)
{
	struct sidework *w = t->owner;

	pthread_join(t->thread, NULL);
	t->begun = false;
	if (t == &w->backup)
		w->done(w->fd, w->err, w->done_arg);
}

static void
on_notified(evutil_socket_t fd, short what, void *arg)
{
	struct sidework *w = arg;
	uint64_t n;

	(void)what;
	if (read(fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		log_err_errno(errno, "store: can't read its notification");
	if (w->check.begun && has_ended(&w->check))
		join(&w->check);
	if (w->backup.begun && has_ended(&w->backup))
		join(&w->backup);
}

/* An interruption has an effect only while a statement runs: once more then. */
static void
interrupt(struct task *t)
{
	struct sidework *w = t->owner;
	struct timespec until;

	if (!t->begun)
		return;
	pthread_mutex_lock(&w->lock);
	while (!t->ended) {
		if (t->db)
			sqlite3_interrupt(t->db);
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += INTERRUPT_MS * 1000000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000;
		}
		pthread_cond_timedwait(&w->changed, &w->lock, &until);
	}
	pthread_mutex_unlock(&w->lock);
	join(t);
}

int
sidework_new(struct sidework **out, struct event_base *base,
	const struct sidework_config *cfg)
{
	struct sidework *w = calloc(1, sizeof(*w));
	pthread_condattr_t attr;

	if (!w)
		return -ENOMEM;
	w->cfg = *cfg;
	w->check.owner = w->backup.owner = w;
	w->check.work = check;
	w->backup.work = backup;
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->changed, &attr);
	pthread_condattr_destroy(&attr);
	w->notify = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->notify >= 0)
		w->notified = event_new(
			base, w->notify, EV_READ | EV_PERSIST, on_notified, w);
	if (w->notified && !event_add(w->notified, NULL)) {
		*out = w;
		return 0;
	}
	sidework_free(w);
	return -ENOMEM;
}

void
sidework_free(struct sidework *w)
{
	if (!w)
		return;
	interrupt(&w->check);
	interrupt(&w->backup);
	if (w->notified)
		event_free(w->notified);
	if (w->notify >= 0)
		close(w->notify);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->changed);
	free(w);
}

int
sidework_check(struct sidework *w)
{
	return w->check.begun ? -EBUSY : begin(&w->check);
}

bool
sidework_checking(struct sidework *w)
{
	return w->check.begun;
}

int
sidework_backup(struct sidework *w, store_backup_fn done, void *arg)
{
	if (w->backup.begun)
		return -EBUSY;
	w->done = done;
	w->done_arg = arg;
	w->fd = -1;
	w->err = 0;
	return begin(&w->backup);
}
