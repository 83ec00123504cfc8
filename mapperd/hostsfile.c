/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Invariant: `seen` is the state of the file (which one, how long, how old)
 * that was handed over last; another state is read again. Changes settle for
 * SETTLE_MS first, so that a file being written is read once, whole; one that
 * is written without end is read all the same.
 */
#include "mapperd/hostsfile.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libipref/log.h"

#define SETTLE_MS    200
#define SETTLE_MAX   2000 /* ms after the first change that is not read */
#define GONE_MS	     2000
#define LOOK_S	     2
#define FILE_MAX     (32 << 20) /* bytes: read and parsed in one go */
#define LINES_LOGGED 50

struct parse {
	struct hostsfile_set *set;
	const char *name;
	const struct host_rules *rules;
	size_t room;
	unsigned logged;
};

static void PRINTF_LIKE(3, 4)
	say(struct parse *p, unsigned line, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	if (p->logged++ >= LINES_LOGGED)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_warn("%s:%u: %s", p->name, line, text);
}

static int
add_rec(struct parse *p, const struct hosts_line *h, unsigned line)
{
	struct hostsfile_set *set = p->set;
	struct hosts_rec *recs, *rec;

	if (set->n == p->room) {
		p->room = p->room ? p->room * 2 : 64;
		recs = reallocarray(set->recs, p->room, sizeof(*recs));
		if (!recs)
			return -ENOMEM;
		set->recs = recs;
	}
	rec = &set->recs[set->n++];
	*rec = (struct hosts_rec){
		.entry = {.kind = h->kind == HOSTS_EXT ? ENTRY_REMOTE
						       : ENTRY_LOCAL,
			.addr = h->addr,
			.key = {h->gw, h->ref},
			.line = line},
		.hidden = h->kind == HOSTS_LOCAL,
		.allot = h->kind == HOSTS_PUB && !h->has_ref,
	};
	if (addr_is_zero(&h->gw) || addr_eq(&h->gw, &p->rules->pub))
		rec->entry.key.gw = addr_zero(p->rules->tunnel_ver);
	return 0;
}

static int
parse_line(struct parse *p, const char *text, size_t len, unsigned line)
{
	struct hosts_line h;
	struct host_entry e;
	const char *why;

	hosts_parse(&h, text, len);
	if (h.kind == HOSTS_PLAIN)
		return 0;
	why = h.kind == HOSTS_BROKEN ? h.error
				     : hosts_check(&h, &p->rules->encode,
					       p->rules->tunnel_ver);
	if (!why && h.kind != HOSTS_LOCAL &&
		(h.kind == HOSTS_EXT || h.has_ref)) {
		e = (struct host_entry){
			.kind = h.kind == HOSTS_EXT ? ENTRY_REMOTE
						    : ENTRY_LOCAL,
			.addr = h.addr,
			.key = {h.gw, h.ref},
		};
		why = hostset_check(&e, p->rules);
		h.gw = e.key.gw;
	}
	if (!why)
		return add_rec(p, &h, line);
	p->set->broken++;
	say(p, line, "skipped: %s", why);
	return 0;
}

static int
by_address(const void *a, const void *b)
{
	const struct hosts_rec *x = a, *y = b;
	int diff = (int)x->entry.kind - (int)y->entry.kind;

	if (!diff)
		diff = addr_cmp(&x->entry.addr, &y->entry.addr);
	return diff ? diff
		    : (x->entry.line > y->entry.line) -
			       (x->entry.line < y->entry.line);
}

static bool
same_address(const struct hosts_rec *a, const struct hosts_rec *b)
{
	return a->entry.kind == b->entry.kind &&
	       addr_eq(&a->entry.addr, &b->entry.addr);
}

static int
by_key(const void *a, const void *b)
{
	const struct hosts_rec *x = a, *y = b;
	int diff = (int)x->entry.kind - (int)y->entry.kind;

	if (!diff)
		diff = (int)x->allot - (int)y->allot;
	if (!diff && !x->allot)
		diff = entry_key_cmp(&x->entry.key, &y->entry.key);
	return diff ? diff
		    : (x->entry.line > y->entry.line) -
			       (x->entry.line < y->entry.line);
}

static bool
same_key(const struct hosts_rec *a, const struct hosts_rec *b)
{
	return a->entry.kind == b->entry.kind && !a->allot && !b->allot &&
	       !entry_key_cmp(&a->entry.key, &b->entry.key);
}

/* Of lines that are the same in this sense, keeps the last one. */
static void
keep_last(struct parse *p, int (*order)(const void *, const void *),
	bool (*same)(const struct hosts_rec *, const struct hosts_rec *),
	const char *what)
{
	struct hosts_rec *recs = p->set->recs;
	size_t i, n = 0;

	if (!p->set->n)
		return;
	qsort(recs, p->set->n, sizeof(*recs), order);
	for (i = 0; i < p->set->n; i++) {
		if (i + 1 < p->set->n && same(&recs[i], &recs[i + 1]))
			say(p, recs[i].entry.line,
				"overruled by line %u: the same %s",
				recs[i + 1].entry.line, what);
		else
			recs[n++] = recs[i];
	}
	p->set->n = n;
}

static void
drop_hidden(struct hostsfile_set *set)
{
	size_t i, n = 0;

	for (i = 0; i < set->n; i++)
		if (!set->recs[i].hidden)
			set->recs[n++] = set->recs[i];
	set->n = n;
}

int
hostsfile_parse(struct hostsfile_set *out, const char *name, const char *text,
	size_t len, const struct host_rules *rules)
{
	struct parse p = {.set = out, .name = name, .rules = rules};
	const char *end = text + len, *nl;
	int err = 0;

	*out = (struct hostsfile_set){0};
	for (; !err && text < end; text = nl + 1) {
		nl = memchr(text, '\n', (size_t)(end - text));
		if (!nl)
			nl = end;
		err = ++out->lines > HOSTSFILE_LINES_MAX
			      ? -E2BIG
			      : parse_line(&p, text, (size_t)(nl - text),
					out->lines);
	}
	if (err) {
		free(out->recs);
		*out = (struct hostsfile_set){0};
		return err;
	}
	keep_last(&p, by_address, same_address, "address");
	drop_hidden(out);
	keep_last(&p, by_key, same_key, "context address and reference");
	if (p.logged > LINES_LOGGED)
		log_warn("%s: %u more lines were skipped or overruled", name,
			p.logged - LINES_LOGGED);
	return 0;
}

struct file_state {
	bool there;
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime, ctime;
};

struct hostsfile {
	char *path; /* owned */
	char *base; /* owned; its last part */
	struct host_rules rules;
	struct mapper *mapper;
	int inotify;
	struct event *changed, *settle, *look; /* owned */
	bool read_any;
	uint64_t gone_since;	/* now_ms(): it is not there; 0: it is */
	uint64_t changed_since; /* of what is not read yet; 0: nothing */
	struct file_state seen;
	struct hostsfile_stats stats;
};

static struct file_state
state_of(const struct stat *st)
{
	return (struct file_state){
		.there = true,
		.dev = st->st_dev,
		.ino = st->st_ino,
		.size = st->st_size,
		.mtime = st->st_mtim,
		.ctime = st->st_ctim,
	};
}

static bool
same_state(const struct file_state *a, const struct file_state *b)
{
	if (a->there != b->there || !a->there)
		return a->there == b->there;
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->mtime.tv_sec == b->mtime.tv_sec &&
	       a->mtime.tv_nsec == b->mtime.tv_nsec &&
	       a->ctime.tv_sec == b->ctime.tv_sec &&
	       a->ctime.tv_nsec == b->ctime.tv_nsec;
}

/* The whole of an open file: malloc'd text of *len bytes, or NULL with errno.
 */
static char *
read_all(int fd, size_t size, size_t *len)
{
	size_t room = size + 1;
	char *text;
	ssize_t got;

	*len = 0;
	if (size > FILE_MAX) {
		errno = EFBIG;
		return NULL;
	}
	text = malloc(room);
	while (text && *len < room) {
		got = read(fd, text + *len, room - *len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			free(text);
			return NULL;
		}
		if (!got)
			break;
		*len += (size_t)got;
	}
	return text;
}

static void
hand_over(struct hostsfile *h, const char *text, size_t len)
{
	struct hostsfile_set set;
	int err = hostsfile_parse(&set, h->path, text, len, &h->rules);

	if (!err)
		err = mapper_hosts(h->mapper, set.recs, set.n);
	if (err) {
		log_err_errno(-err, "%s: not taken", h->path);
		free(set.recs);
		return;
	}
	h->stats.lines = set.lines;
	h->stats.broken = set.broken;
	h->stats.mappings = set.n;
	log_info("%s: %zu mappings in %u lines, %u lines refused", h->path,
		set.n, set.lines, set.broken);
	free(set.recs);
}

/* An open file and its state: 0 or an errno; *fd is closed by the caller when
 * it is not negative. */
static int
open_file(const struct hostsfile *h, int *fd, struct file_state *now)
{
	struct stat st;

	*fd = open(h->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (*fd < 0 || fstat(*fd, &st) < 0)
		return errno;
	*now = state_of(&st);
	return S_ISREG(st.st_mode) ? 0 : EINVAL;
}

static void
wait_ms(struct event *timer, unsigned ms)
{
	const struct timeval tv = {ms / 1000, ms % 1000 * 1000};

	event_add(timer, &tv);
}

/* A file that is not there: true as long as it may come back at once. */
static bool
is_being_replaced(struct hostsfile *h)
{
	uint64_t now = now_ms();

	if (!h->gone_since)
		h->gone_since = now;
	if (now - h->gone_since >= GONE_MS)
		return false;
	wait_ms(h->settle, (unsigned)(h->gone_since + GONE_MS - now));
	return true;
}

/* Said once for each state of the file. */
static void
say_unreadable(struct hostsfile *h, int err, bool again)
{
	h->stats.failures++;
	if (!again)
		log_err_errno(err,
			"%s: can't be read, what it said last serves", h->path);
}

/* Reads the file when it is another than it was (or with force). */
static void
read_file(struct hostsfile *h, bool force)
{
	struct file_state now = {0};
	char *text = NULL;
	size_t len = 0;
	int fd, err = open_file(h, &fd, &now);
	bool same = h->read_any && same_state(&now, &h->seen) && !force;

	h->changed_since = 0;
	if (err != ENOENT)
		h->gone_since = 0;
	if (same && (!err || err == ENOENT))
		goto out;
	if (err == ENOENT && is_being_replaced(h))
		goto out;
	if (!err) {
		text = read_all(fd, (size_t)now.size, &len);
		err = text ? 0 : errno;
	}
	h->stats.there = now.there;
	if (err && err != ENOENT) {
		say_unreadable(h, err, same);
	} else {
		if (err)
			log_notice("%s: is not there", h->path);
		hand_over(h, text ? text : "", len);
		h->stats.reads++;
	}
	h->read_any = true;
	h->seen = now;
out:
	free(text);
	if (fd >= 0)
		close(fd);
}

static void
on_settled(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	read_file(arg, false);
}

static void
settle(struct hostsfile *h)
{
	uint64_t now = now_ms();

	if (!h->changed_since)
		h->changed_since = now;
	if (now - h->changed_since < SETTLE_MAX)
		wait_ms(h->settle, SETTLE_MS);
}

/* Whether one of these inotify events names our file. */
static bool
names_us(const struct hostsfile *h, const char *buf, size_t len)
{
	struct inotify_event ev;
	size_t pos = 0;

	while (pos + sizeof(ev) <= len) {
		memcpy(&ev, buf + pos, sizeof(ev));
		if (!ev.len || (ev.mask & (IN_Q_OVERFLOW | IN_IGNORED)))
			return true;
		if (!strcmp(buf + pos + sizeof(ev), h->base))
			return true;
		pos += sizeof(ev) + ev.len;
	}
	return false;
}

static void
on_changed(evutil_socket_t fd, short what, void *arg)
{
	struct hostsfile *h = arg;
	char buf[4096];
	ssize_t got = read(fd, buf, sizeof(buf));

	(void)what;
	if (got > 0 && names_us(h, buf, (size_t)got))
		settle(h);
}

static void
on_look(evutil_socket_t fd, short what, void *arg)
{
	struct hostsfile *h = arg;
	struct file_state now = {0};
	struct stat st;

	(void)fd;
	(void)what;
	if (!stat(h->path, &st))
		now = state_of(&st);
	if (!same_state(&now, &h->seen))
		settle(h);
}

/* Without it the file is looked at every LOOK_S seconds, which is enough. */
static void
watch_directory(struct hostsfile *h, struct event_base *base)
{
	char *copy = strdup(h->path);
	int wd = -1;

	h->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (copy && h->inotify >= 0)
		wd = inotify_add_watch(h->inotify, dirname(copy),
			IN_CLOSE_WRITE | IN_MODIFY | IN_MOVED_TO |
				IN_MOVED_FROM | IN_CREATE | IN_DELETE |
				IN_ATTRIB);
	free(copy);
	if (wd < 0) {
		log_info("%s: can't be watched, looked at every %d s", h->path,
			LOOK_S);
		return;
	}
	h->changed = event_new(
		base, h->inotify, EV_READ | EV_PERSIST, on_changed, h);
	if (h->changed)
		event_add(h->changed, NULL);
}

static char *
last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strdup(slash ? slash + 1 : path);
}

struct hostsfile *
hostsfile_new(struct event_base *base, const char *path,
	const struct host_rules *rules, struct mapper *mapper)
{
	const struct timeval look = {LOOK_S, 0};
	struct hostsfile *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->inotify = -1;
	h->rules = *rules;
	h->mapper = mapper;
	h->path = strdup(path);
	h->base = last_part(path);
	h->settle = evtimer_new(base, on_settled, h);
	h->look = event_new(base, -1, EV_PERSIST, on_look, h);
	if (!h->path || !h->base || !h->settle || !h->look ||
		event_add(h->look, &look)) {
		hostsfile_free(h);
		errno = ENOMEM;
		return NULL;
	}
	watch_directory(h, base);
	read_file(h, true);
	return h;
}

void
hostsfile_free(struct hostsfile *h)
{
	if (!h)
		return;
	if (h->changed)
		event_free(h->changed);
	if (h->settle)
		event_free(h->settle);
	if (h->look)
		event_free(h->look);
	if (h->inotify >= 0)
		close(h->inotify);
	free(h->path);
	free(h->base);
	free(h);
}

void
hostsfile_reload(struct hostsfile *h)
{
	read_file(h, true);
}

const struct hostsfile_stats *
hostsfile_stats(const struct hostsfile *h)
{
	return &h->stats;
}
