/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mapperd's pages over a rig, at a control socket of their own: all in one
 * loop, so that a test decides what happens between two portions.
 */
#ifndef TESTS_UNIT_MAPPERD_PAGES_RIG_H
#define TESTS_UNIT_MAPPERD_PAGES_RIG_H

#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent.h"
#include "libipref/ctl.h"
#include "mapperd/pages.h"
#include "tests/unit/loop.h"

struct pages_rig {
	struct rig rig;
	struct rig_client *client;
	struct mapperd_conf conf;
	struct daemon daemon;
	struct mapperd d;
	char dir[64], path[96];
};

/* Without what needs a hosts file and a socket: /status and metrics. */
static inline void
pages_init(struct pages_rig *p)
{
	memset(p, 0, sizeof(*p));
	ck_assert(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	rig_init(&p->rig, "10.240.0.0/12", "192.0.2.1");
	p->client = rig_join(&p->rig, ROLE_ALL);
	snprintf(p->dir, sizeof(p->dir), "/tmp/ipref-pages-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(p->dir));
	snprintf(p->path, sizeof(p->path), "%s/x.ctl", p->dir);
	p->conf.common.gateway_pub = addr_of("192.0.2.1");
	p->conf.quarantine_s = 86400;
	p->daemon.settings = &p->conf;
	p->daemon.base = event_base_new();
	ck_assert_int_eq(
		ctl_new(&p->daemon.ctl, p->daemon.base, p->path, "m"), 0);
	p->d.daemon = &p->daemon;
	p->d.server = p->rig.server;
	p->d.store = &p->rig.store.store;
	p->d.watch = watch_new(&p->d);
	ck_assert_ptr_nonnull(p->d.watch);
	pages_add(&p->d);
	commands_add(&p->d);
	watch_add(p->d.watch);
}

static inline void
pages_fini(struct pages_rig *p)
{
	ctl_stop(p->daemon.ctl);
	rig_fini(&p->rig);
	watch_free(p->d.watch);
	ctl_free(p->daemon.ctl);
	event_base_free(p->daemon.base);
	ck_assert_int_eq(rmdir(p->dir), 0);
}

/* A connection that has asked; HTTP/1.0, so that its end is the answer's. */
static inline int
pages_ask(const struct pages_rig *p, const char *method, const char *target)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), len;
	char request[2048];

	ck_assert_int_ge(fd, 0);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", p->path);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	len = snprintf(request, sizeof(request),
		"%s %s HTTP/1.0\r\nContent-Length: 0\r\n\r\n", method, target);
	ck_assert_int_eq(send(fd, request, (size_t)len, 0), len);
	return fd;
}

/* What has been read of an answer. */
struct answer_text {
	char *p; /* owned; with NUL */
	size_t len;
	bool end;
};

/* Reads what is there. */
static inline void
answer_read(struct answer_text *a, int fd)
{
	ssize_t n;

	do {
		a->p = realloc(a->p, a->len + 65537);
		n = read(fd, a->p + a->len, 65536);
		a->end = n == 0;
		if (n > 0)
			a->len += (size_t)n;
		a->p[a->len] = '\0';
	} while (n > 0);
}

/* The rest of the answer; its body, the caller's. */
static inline char *
answer_end(struct pages_rig *p, struct answer_text *a, int fd, int want)
{
	int status = 0;
	char *body;

	LOOP_UNTIL(p->daemon.base, (answer_read(a, fd), a->end));
	close(fd);
	ck_assert_int_eq(sscanf(a->p, "HTTP/1.%*1[01] %3d", &status), 1);
	ck_assert_msg(status == want, "%s", a->p);
	body = strstr(a->p, "\r\n\r\n");
	ck_assert_ptr_nonnull(body);
	body = strdup(body + 4);
	free(a->p);
	return body;
}

static inline char *
pages_fetch(
	struct pages_rig *p, const char *method, const char *target, int want)
{
	struct answer_text a = {0};

	return answer_end(p, &a, pages_ask(p, method, target), want);
}

static inline json_t *
pages_json(struct pages_rig *p, const char *target)
{
	char *body = pages_fetch(p, "GET", target, 200);
	json_t *json = json_loads(body, JSON_REJECT_DUPLICATES, NULL);

	ck_assert_msg(json != NULL, "%s", body);
	free(body);
	return json;
}

/* A dynamic mapping of 203.0.113.NET + ref; its ea. */
static inline struct addr
pages_make(struct pages_rig *p, uint8_t net, uint64_t ref, const char *name)
{
	struct arec rec = {
		.gw = addr_of("203.0.113.0"), .ref = ref_from_u64(ref)};
	struct msg m = {.mode = MSG_REQ,
		.cmd = MSG_MC_GET_EA,
		.id = 9,
		.n = 1,
		.arecs = &rec};

	rec.gw.b[3] = net;
	if (name)
		m.str = (struct msg_str){name, strlen(name)};
	m = rig_ask(p->client, &m);
	ck_assert_int_eq(m.mode, MSG_ACK);
	rec = msg_arec(&m, 0);
	rig_clear(&p->rig);
	return rec.ea;
}

static inline const char *
member(const json_t *row, const char *key)
{
	const char *s = json_string_value(json_object_get(row, key));

	ck_assert_msg(s != NULL, "no %s", key);
	return s;
}

#endif
