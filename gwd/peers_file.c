/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The folder may be one in which others of our group can make files (/run/ipref
 * is): so a file of somebody else is not believed, no link is followed, and the
 * new file is made by us or not at all.
 *
 * It is not synced to the disk: after a power cut an old, empty or broken file
 * is as good as none.
 */
#include "gwd/peers_file.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "gwd/peers_text.h"
#include "libipref/log.h"

#define FILE_BYTES_MAX (256 << 20) /* the largest tables fill less */
#define SAID_MAX       5	   /* broken lines that are said one by one */

struct peers_file {
	char *path; /* owned */
	struct peers_kept kept;
	struct event *timer; /* owned */
	uint64_t saved_version, saved_ms;
	uint64_t took_ms; /* to save */
	bool failing;	  /* and said so */
};

/* --- saving ------------------------------------------------------------- */

static void
put_peer(FILE *out, const struct peer *p, const struct peers_clock *at)
{
	uint64_t age_s = (at->now_ms - p->heard_ms) / 1000;
	const struct peers_line l = {
		.kind = PEERS_KIND_PEER,
		.addr = p->addr,
		.port = p->port,
		.to = p->to,
		.at_s = at->wall_s > age_s ? at->wall_s - age_s : 0,
	};
	char text[PEERS_TEXT_MAX];

	if (p->proof == PEER_PROVED && age_s < PEERS_FILE_AGE_S)
		fprintf(out, "%s\n", peers_text_format(&l, text));
}

static void
put_path(FILE *out, const struct path *p, const struct peers_clock *at)
{
	uint64_t left_s = paths_left(p, at->now_ms) / 1000;
	const struct peers_line l = {
		.kind = PEERS_KIND_PATH,
		.addr = p->addr,
		.mtu = p->learned,
		.at_s = at->wall_s + left_s,
	};
	char text[PEERS_TEXT_MAX];

	if (left_s && p->learned)
		fprintf(out, "%s\n", peers_text_format(&l, text));
}

/* The peer heard from last comes last, so that reading them in order makes the
 * same order of leaving. */
static int
write_all(
	FILE *out, const struct peers_kept *kept, const struct peers_clock *at)
{
	const struct peer *peer = NULL;
	const struct path *path;
	size_t pos = 0;

	fprintf(out, "%s\n", PEERS_TEXT_FIRST);
	while ((peer = peers_next_kept(kept->peers, peer)))
		put_peer(out, peer, at);
	while ((path = paths_next(kept->paths, &pos)))
		put_path(out, path, at);
	return fflush(out) || ferror(out) ? -errno : 0;
}

int
peers_file_save(const char *path, const struct peers_kept *kept,
	const struct peers_clock *at)
{
	char tmp[4096];
	FILE *out;
	int fd, err;

	if (snprintf(tmp, sizeof(tmp), "%s.tmp", path) >= (int)sizeof(tmp))
		return -ENAMETOOLONG;
	if (unlink(tmp) && errno != ENOENT)
		return -errno;
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		0640);
	if (fd < 0)
		return -errno;
	out = fdopen(fd, "w");
	if (!out) {
		err = -errno;
		close(fd);
	} else {
		err = write_all(out, kept, at);
		if (fclose(out) && !err)
			err = -errno;
	}
	if (!err && rename(tmp, path))
		err = -errno;
	if (err)
		(void)unlink(tmp);
	return err;
}

/* --- loading ------------------------------------------------------------ */

static void
take(const struct peers_line *l, const struct peers_kept *kept,
	const struct peers_clock *at)
{
	/* a time to come: the clock was set back */
	uint64_t age_s = at->wall_s > l->at_s ? at->wall_s - l->at_s : 0;
	uint64_t left_s = l->at_s > at->wall_s ? l->at_s - at->wall_s : 0;
	const struct endpoint from = {l->addr, l->port};
	uint64_t age_ms = age_s * 1000;

	if (l->kind == PEERS_KIND_PATH) {
		if (left_s > PATHS_KEEP_MS / 1000)
			left_s = PATHS_KEEP_MS / 1000;
		if (left_s)
			paths_restore(kept->paths, &l->addr, l->mtu,
				left_s * 1000, at->now_ms);
	} else if (age_s < PEERS_FILE_AGE_S) {
		peers_restore(kept->peers, &from, &l->to,
			at->now_ms > age_ms ? at->now_ms - age_ms : 1,
			at->now_ms);
	}
}

/* One line as getline() gave it, its newline taken off: NULL, or why it can't
 * be used. */
static const char *
take_line(char *text, size_t len, const struct peers_kept *kept,
	const struct peers_clock *at)
{
	struct peers_line l;
	const char *why;

	if (text[len - 1] != '\n')
		return "without its end";
	text[len - 1] = '\0';
	if (strlen(text) != len - 1)
		return "a byte of zero";
	why = peers_text_parse(&l, text, kept->ver);
	if (!why)
		take(&l, kept, at);
	return why;
}

static int
read_all(FILE *in, const char *path, const struct peers_kept *kept,
	const struct peers_clock *at)
{
	size_t size = 0, line, broken = 0;
	char *text = NULL;
	const char *why;
	ssize_t n;

	n = getline(&text, &size, in);
	if (n < 0 || strcmp(text, PEERS_TEXT_FIRST "\n")) {
		log_warn("%s:1: not \"%s\", the file is ignored", path,
			PEERS_TEXT_FIRST);
		free(text);
		return -EINVAL;
	}
	for (line = 2; (n = getline(&text, &size, in)) > 0; line++) {
		why = take_line(text, (size_t)n, kept, at);
		if (why && ++broken <= SAID_MAX)
			log_warn("%s:%zu: %s, the line is skipped", path, line,
				why);
	}
	if (broken > SAID_MAX)
		log_warn("%s: %zu lines skipped in all", path, broken);
	free(text);
	return 0;
}

static int
open_own(const char *path, FILE **in)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	int err = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		err = -errno;
	else if (!S_ISREG(st.st_mode))
		err = -EINVAL;
	else if (st.st_uid != geteuid() && st.st_uid != 0)
		err = -EPERM;
	else if (st.st_size > FILE_BYTES_MAX)
		err = -EFBIG;
	if (!err) {
		*in = fdopen(fd, "r");
		if (*in)
			return 0;
		err = -errno;
	}
	close(fd);
	return err;
}

int
peers_file_load(const char *path, const struct peers_kept *kept,
	const struct peers_clock *at)
{
	FILE *in;
	int err = open_own(path, &in);

	if (err) {
		if (err != -ENOENT)
			log_warn_errno(-err, "%s: not read", path);
		return err;
	}
	err = read_all(in, path, kept, at);
	fclose(in);
	if (!err)
		log_info("%s: gateways known: %zu", path,
			peers_proved(kept->peers));
	return err;
}

/* --- now and then ------------------------------------------------------- */

static struct peers_clock
clocks(void)
{
	time_t wall = time(NULL);

	return (struct peers_clock){now_ms(), wall > 0 ? (uint64_t)wall : 0};
}

static uint64_t
version_of(const struct peers_kept *kept)
{
	return peers_stats(kept->peers)->version +
	       paths_stats(kept->paths)->learned;
}

static void
save(struct peers_file *f)
{
	const struct peers_clock at = clocks();
	uint64_t version = version_of(&f->kept);
	int err = peers_file_save(f->path, &f->kept, &at);

	if (err && !f->failing)
		log_warn_errno(-err, "%s: not written", f->path);
	f->failing = err;
	f->saved_ms = now_ms();
	f->took_ms = f->saved_ms - at.now_ms;
	f->saved_version = version;
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct peers_file *f = arg;
	uint64_t gone = now_ms() - f->saved_ms;
	bool changed = f->failing || version_of(&f->kept) != f->saved_version;

	(void)fd;
	(void)what;
	if (gone < f->took_ms * 100)
		return;
	if (changed || gone >= PEERS_FILE_FRESH_S * 1000)
		save(f);
}

struct peers_file *
peers_file_new(struct event_base *base, const char *path,
	const struct peers_kept *kept)
{
	const struct timeval every = {.tv_sec = PEERS_FILE_LOOK_S};
	const struct peers_clock at = clocks();
	struct peers_file *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->kept = *kept;
	f->path = strdup(path);
	f->timer = event_new(base, -1, EV_PERSIST, on_timer, f);
	if (!f->path || !f->timer || event_add(f->timer, &every)) {
		if (f->timer)
			event_free(f->timer);
		free(f->path);
		free(f);
		return NULL;
	}
	(void)peers_file_load(path, kept, &at);
	f->saved_version = version_of(kept);
	f->saved_ms = at.now_ms;
	return f;
}

void
peers_file_free(struct peers_file *f)
{
	if (!f)
		return;
	save(f);
	event_free(f->timer);
	free(f->path);
	free(f);
}
