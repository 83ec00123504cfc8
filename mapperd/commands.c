/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What operators order: POST /forget?address=A, /source/remove?source=L:P,
 * /backup.
 *
 * An order is answered when it is durable, or known not to be. It outlives the
 * client that gave it.
 */
#include "mapperd/pages.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libipref/ctl.h"
#include "libipref/log.h"

#define WHAT_MAX       SOURCE_TEXT_MAX
#define BACKUP_PORTION ((size_t)64 << 10)

/* One that is under way. */
struct order {
	struct mapperd *d;
	struct ctl_reply *reply;
	char what[WHAT_MAX]; /* the address or source, as it came */
};

static struct order *
order_new(struct mapperd *d, struct ctl_reply *r, const char *what)
{
	struct order *o = calloc(1, sizeof(*o));

	if (!o) {
		ctl_reply_text(r, 500, "out of memory");
		return NULL;
	}
	o->d = d;
	o->reply = r;
	snprintf(o->what, sizeof(o->what), "%s", what);
	return o;
}

/* Why it was not carried out; missing and forbidden are the order's own. */
static void
refuse(const struct order *o, int err, const char *missing,
	const char *forbidden)
{
	struct store_stats st = {0};

	switch (err) {
	case -ENOENT:
		ctl_reply_text(o->reply, 404, missing, o->what);
		return;
	case -EPERM:
		ctl_reply_text(o->reply, 409, forbidden, o->what);
		return;
	case -EBUSY:
		ctl_reply_text(o->reply, 503,
			"%s is being changed just now: try again", o->what);
		return;
	}
	if (o->d->store)
		store_stats(o->d->store, &st);
	ctl_reply_text(o->reply, 503, "%s: not done: %s%s%s", o->what,
		strerror(-err), st.degraded ? ": " : "",
		st.degraded ? st.reason : "");
}

static void
on_forgotten(int err, size_t n, void *arg)
{
	struct order *o = arg;

	if (err) {
		refuse(o, err, "there is no mapping with the address %s",
			"%s is listed: whoever lists it has to withdraw it");
	} else {
		log_notice("mapper: %s is forgotten by order: %zu mappings",
			o->what, n);
		ctl_reply_json(
			o->reply, json_pack("{s:s, s:I}", "address", o->what,
					  "forgotten", (json_int_t)n));
	}
	free(o);
}

static void
order_forget(const char *query, struct ctl_reply *r, void *arg)
{
	struct mapperd *d = arg;
	char text[ADDR_TEXT_MAX];
	struct addr addr;
	struct order *o;

	if (!ctl_query(query, "address", text, sizeof(text)) ||
		!addr_parse(&addr, text, strlen(text))) {
		ctl_reply_text(
			r, 400, "address: an ea or the ip of a host is needed");
		return;
	}
	o = order_new(d, r, text);
	if (o)
		mapper_forget(server_mapper(d->server), &addr, on_forgotten, o);
}

static void
on_removed(int err, size_t n, void *arg)
{
	struct order *o = arg;

	if (err) {
		refuse(o, err, "there is no source %s", "%s can't be removed");
	} else {
		log_notice("source %s: removed by order, with %zu hosts",
			o->what, n);
		ctl_reply_json(
			o->reply, json_pack("{s:s, s:I}", "source", o->what,
					  "withdrawn", (json_int_t)n));
	}
	free(o);
}

static void
order_remove(const char *query, struct ctl_reply *r, void *arg)
{
	char text[SOURCE_TEXT_MAX];
	struct mapperd *d = arg;
	struct source source;
	struct order *o;

	if (!ctl_query(query, "source", text, sizeof(text)) ||
		!source_parse(&source, text, strlen(text))) {
		ctl_reply_text(
			r, 400, "source: LOCAL:PUBLIC is needed, two domains");
		return;
	}
	o = order_new(d, r, source_format(&source, text));
	if (o)
		mapper_source_remove(
			server_mapper(d->server), &source, on_removed, o);
}

/* --- backup --------------------------------------------------------------- */

struct backup {
	int fd; /* owned; a file without a name */
};

static enum ctl_next
backup_next(struct evbuffer *out, void *arg)
{
	const struct backup *b = arg;
	struct evbuffer_iovec room;
	ssize_t n;

	if (evbuffer_reserve_space(out, BACKUP_PORTION, &room, 1) != 1)
		return CTL_FAIL;
	n = read(b->fd, room.iov_base, BACKUP_PORTION);
	if (n < 0)
		log_err_errno(errno, "backup: can't be read");
	room.iov_len = n > 0 ? (size_t)n : 0;
	if (n < 0 || evbuffer_commit_space(out, &room, 1))
		return CTL_FAIL;
	return n ? CTL_MORE : CTL_END;
}

static void
backup_closed(void *arg)
{
	struct backup *b = arg;

	close(b->fd);
	free(b);
}

static void
on_backup(int fd, int err, void *arg)
{
	static const struct ctl_source source = {
		.next = backup_next, .closed = backup_closed};
	struct ctl_reply *r = arg;
	struct backup *b;

	if (err) {
		log_err_errno(-err, "backup: failed");
		ctl_reply_text(r, 503, "the backup failed: %s", strerror(-err));
		return;
	}
	b = calloc(1, sizeof(*b));
	if (!b) {
		close(fd);
		ctl_reply_text(r, 500, "out of memory");
		return;
	}
	b->fd = fd;
	ctl_reply_stream(r, "application/vnd.sqlite3", &source, b);
}

static void
order_backup(const char *query, struct ctl_reply *r, void *arg)
{
	const struct mapperd *d = arg;
	int err = store_backup(d->store, on_backup, r);

	(void)query;
	if (err == -EBUSY)
		ctl_reply_text(r, 503, "a backup is being made already");
	else if (err == -ENOSYS)
		ctl_reply_text(r, 501, "this store can't make backups");
	else if (err)
		ctl_reply_text(r, 503, "no backup: %s", strerror(-err));
}

void
commands_add(struct mapperd *d)
{
	struct ctl *ctl = d->daemon->ctl;

	ctl_add_command(ctl, "/forget", order_forget, d);
	ctl_add_command(ctl, "/source/remove", order_remove, d);
	ctl_add_command(ctl, "/backup", order_backup, d);
}
