/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A scripted DNS server in the test's own event loop: UDP and TCP on a loopback
 * address of its own, answering by a table of rules.
 *
 * A question that no rule names gets NOERROR without records and an SOA of
 * "test.". Each server counts what it was asked.
 */
#ifndef TESTS_UNIT_RESOLVERD_FAKE_DNS_H
#define TESTS_UNIT_RESOLVERD_FAKE_DNS_H

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/loop.h"
#include "tests/unit/resolverd/records.h"

enum fake_how {
	FAKE_ANSWER,
	FAKE_SILENT,
	FAKE_SILENT_ONCE,  /* the first time */
	FAKE_WRONG_ID,	   /* and nothing else */
	FAKE_WRONG_NAME,   /* question of another name */
	FAKE_WRONG_TYPE,   /* question of another type */
	FAKE_WRONG_PORT,   /* from another socket */
	FAKE_POISON,	   /* all wrong ones with 6.6.6.6, then the answer */
	FAKE_TRUNCATE,	   /* TC by UDP, the answer by TCP */
	FAKE_TRUNCATE_ALL, /* TC by TCP, too */
	FAKE_TCP_CLOSES,   /* TC by UDP, TCP closes without an answer */
	FAKE_TCP_WRONG_ID, /* TC by UDP, TCP answers with another id */
	FAKE_GARBAGE,	   /* right question, broken records */
	FAKE_SHORT,	   /* header only */
	FAKE_NO_EDNS,	   /* FORMERR without OPT to a query with OPT */
	FAKE_LAME,	   /* a referral upwards */
};

struct fake_rule {
	const char *name; /* absolute, with the dot */
	uint16_t type;
	enum fake_how how;
	uint16_t rcode;
	const char *answer[8];
	const char *authority[2];
	const char *additional[2];
};

struct fake_dns {
	struct event_base *base;
	struct endpoint at;
	int udp, other; /* other: the wrong port */
	struct event *ev;
	struct evconnlistener *tcp;
	const struct fake_rule *rules;
	size_t n;
	unsigned asked, asked_tcp; /* queries */
	bool last_edns, last_do, last_cd;
	char last[NAME_TEXT_MAX];
};

static inline const struct fake_rule *
fake_find(struct fake_dns *f, const struct dns_question *q)
{
	static const struct fake_rule none = {
		.authority = {
			"test. 60 IN SOA ns.test. mail.test. 1 2 3 4 30"}};
	size_t i;

	name_format(&q->name, f->last);
	for (i = 0; i < f->n; i++)
		if (!strcasecmp(f->rules[i].name, f->last) &&
			f->rules[i].type == q->type)
			return &f->rules[i];
	return &none;
}

/* The right answer by the rule; edns: the query had an OPT record. */
static inline size_t
fake_build(const struct fake_rule *r, const struct screened *q, bool poison,
	uint8_t *buf)
{
	struct answer_head h = {.id = q->header.id,
		.flags = q->header.flags,
		.has_question = true,
		.question = q->question,
		.edns = q->opt,
		.limit = DNS_MESSAGE_MAX};
	struct answer a;
	size_t i;

	answer_begin(&a, &h, buf);
	if (poison) {
		char text[NAME_TEXT_MAX + 64], name[NAME_TEXT_MAX];

		snprintf(text, sizeof(text), "%s 60 IN A 6.6.6.6",
			name_format(&q->question.name, name));
		add_text(&a, DNS_ANSWER, text);
	}
	for (i = 0; i < 8 && r->answer[i] && !poison; i++)
		add_text(&a, DNS_ANSWER, r->answer[i]);
	for (i = 0; i < 2 && r->authority[i]; i++)
		add_text(&a, DNS_AUTHORITY, r->authority[i]);
	for (i = 0; i < 2 && r->additional[i]; i++)
		add_text(&a, DNS_ADDITIONAL, r->additional[i]);
	if (r->how == FAKE_LAME)
		a.ra = false;
	return answer_end(&a, r->rcode, EDE_NONE);
}

struct fake_to {
	struct fake_dns *f;
	const struct sockaddr *sa;
	socklen_t len;
};

static inline void
fake_send(const struct fake_to *to, int fd, const uint8_t *msg, size_t len)
{
	ck_assert_int_eq(
		sendto(fd, msg, len, 0, to->sa, to->len), (ssize_t)len);
}

/* Wrong in one way each. */
static inline void
fake_send_wrong(const struct fake_to *to, const struct fake_rule *r,
	const struct screened *q, enum fake_how how)
{
	struct screened s = *q;
	uint8_t buf[DNS_MESSAGE_MAX];
	int fd = to->f->udp;

	if (how == FAKE_WRONG_ID)
		s.header.id ^= 0x5555;
	if (how == FAKE_WRONG_NAME)
		s.question.name = named("other.test");
	if (how == FAKE_WRONG_TYPE)
		s.question.type = 99;
	if (how == FAKE_WRONG_PORT)
		fd = to->f->other;
	fake_send(to, fd, buf, fake_build(r, &s, true, buf));
}

static inline void
fake_send_special(const struct fake_to *to, const struct fake_rule *r,
	const struct screened *q)
{
	uint8_t buf[DNS_MESSAGE_MAX];
	size_t len = fake_build(r, q, false, buf);

	switch (r->how) {
	case FAKE_GARBAGE:
		buf[7] = 9; /* answers that are not there */
		fake_send(to, to->f->udp, buf, len);
		break;
	case FAKE_SHORT:
		fake_send(to, to->f->udp, buf, 11);
		break;
	default: /* TC: question and OPT alone */
		memset(buf + 6, 0, 6);
		buf[2] |= DNS_TC >> 8;
		fake_send(to, to->f->udp, buf,
			DNS_HEADER + q->question.name.len + 4u);
	}
}

static inline void
fake_reply_udp(const struct fake_to *to, const struct fake_rule *r,
	const struct screened *q)
{
	uint8_t buf[DNS_MESSAGE_MAX];
	int how;

	switch (r->how) {
	case FAKE_SILENT:
		return;
	case FAKE_SILENT_ONCE:
		if (to->f->asked == 1)
			return;
		break;
	case FAKE_WRONG_ID:
	case FAKE_WRONG_NAME:
	case FAKE_WRONG_TYPE:
	case FAKE_WRONG_PORT:
		fake_send_wrong(to, r, q, r->how);
		return;
	case FAKE_POISON:
		for (how = FAKE_WRONG_ID; how <= FAKE_WRONG_PORT; how++)
			fake_send_wrong(to, r, q, (enum fake_how)how);
		break;
	case FAKE_TRUNCATE:
	case FAKE_TRUNCATE_ALL:
	case FAKE_TCP_CLOSES:
	case FAKE_TCP_WRONG_ID:
	case FAKE_GARBAGE:
	case FAKE_SHORT:
		fake_send_special(to, r, q);
		return;
	case FAKE_NO_EDNS:
		if (q->opt) {
			buf[0] = (uint8_t)(q->header.id >> 8);
			buf[1] = (uint8_t)q->header.id;
			memcpy(buf + 2, "\x81\x81\0\0\0\0\0\0\0\0", 10);
			fake_send(to, to->f->udp, buf, 12);
			return;
		}
		break;
	default:
		break;
	}
	fake_send(to, to->f->udp, buf, fake_build(r, q, false, buf));
}

/* Screens a query and counts it. */
static inline const struct fake_rule *
fake_query(
	struct fake_dns *f, struct screened *q, const uint8_t *msg, size_t len)
{
	ck_assert_int_eq(screen_message(q, msg, len), SCREEN_OK);
	ck_assert_uint_eq(q->header.counts[DNS_QUESTION], 1);
	ck_assert(q->header.flags & DNS_RD);
	f->asked++;
	f->last_edns = q->opt;
	f->last_do = q->edns_flags & DNS_EDNS_DO;
	f->last_cd = q->header.flags & DNS_CD;
	return fake_find(f, &q->question);
}

static inline void
fake_on_udp(evutil_socket_t fd, short what, void *arg)
{
	struct fake_dns *f = arg;
	struct sockaddr_storage ss;
	struct fake_to to = {f, (struct sockaddr *)&ss, sizeof(ss)};
	const struct fake_rule *r;
	struct screened q;
	uint8_t buf[512];
	ssize_t n;

	(void)what;
	n = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&ss, &to.len);
	ck_assert_int_ge(n, 0);
	r = fake_query(f, &q, buf, (size_t)n);
	fake_reply_udp(&to, r, &q);
}

static inline void
fake_on_tcp_event(struct bufferevent *be, short what, void *arg)
{
	(void)what;
	(void)arg;
	bufferevent_free(be);
}

static inline void
fake_on_tcp_read(struct bufferevent *be, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(be);
	uint8_t buf[DNS_MESSAGE_MAX + 2];
	struct fake_dns *f = arg;
	const struct fake_rule *r;
	struct screened q;
	size_t len;

	if (evbuffer_copyout(in, buf, 2) < 2)
		return;
	len = (size_t)buf[0] << 8 | buf[1];
	if (evbuffer_get_length(in) < len + 2)
		return;
	evbuffer_remove(in, buf, len + 2);
	f->asked_tcp++;
	r = fake_query(f, &q, buf + 2, len);
	if (r->how == FAKE_TCP_CLOSES) {
		bufferevent_free(be);
		return;
	}
	len = fake_build(r, &q, false, buf + 2);
	if (r->how == FAKE_TRUNCATE_ALL)
		buf[4] |= DNS_TC >> 8;
	if (r->how == FAKE_TCP_WRONG_ID)
		buf[2] ^= 1;
	buf[0] = (uint8_t)(len >> 8);
	buf[1] = (uint8_t)len;
	bufferevent_write(be, buf, len + 2);
}

static inline void
fake_on_accept(struct evconnlistener *l, evutil_socket_t fd,
	struct sockaddr *sa, int len, void *arg)
{
	struct fake_dns *f = arg;
	struct bufferevent *be =
		bufferevent_socket_new(f->base, fd, BEV_OPT_CLOSE_ON_FREE);

	(void)l;
	(void)sa;
	(void)len;
	bufferevent_setcb(be, fake_on_tcp_read, NULL, fake_on_tcp_event, f);
	bufferevent_enable(be, EV_READ | EV_WRITE);
}

static inline int
fake_socket(int type, const struct addr *a, uint16_t *port)
{
	struct sockaddr_storage ss;
	struct endpoint e;
	socklen_t len;
	int one = 1, fd;

	addr_to_sockaddr(a, *port, &ss, &len);
	fd = socket(ss.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&ss, len), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	ck_assert(endpoint_from_sockaddr(&e, (struct sockaddr *)&ss, len));
	*port = e.port;
	return fd;
}

/* A loopback address that only this process uses: nothing else listens there.
 */
static inline struct addr
own_loopback(uint8_t last)
{
	unsigned pid = (unsigned)getpid();
	uint8_t b[4] = {
		127, (uint8_t)(1 + (pid >> 8) % 254), (uint8_t)pid, last};

	return addr_from_bytes(4, b);
}

static inline void
fake_start(struct fake_dns *f, struct event_base *base, uint8_t last,
	const struct fake_rule *rules, size_t n)
{
	int fd;

	memset(f, 0, sizeof(*f));
	f->base = base;
	f->rules = rules;
	f->n = n;
	f->at.addr = own_loopback(last);
	f->at.port = 5353;
	f->udp = fake_socket(SOCK_DGRAM, &f->at.addr, &f->at.port);
	fd = fake_socket(SOCK_STREAM, &f->at.addr, &f->at.port);
	f->tcp = evconnlistener_new(
		base, fake_on_accept, f, LEV_OPT_CLOSE_ON_FREE, 16, fd);
	ck_assert_ptr_nonnull(f->tcp);
	f->other = fake_socket(SOCK_DGRAM, &f->at.addr, &(uint16_t){0});
	f->ev = event_new(base, f->udp, EV_READ | EV_PERSIST, fake_on_udp, f);
	ck_assert_int_eq(event_add(f->ev, NULL), 0);
}

static inline void
fake_stop(struct fake_dns *f)
{
	event_free(f->ev);
	evconnlistener_free(f->tcp);
	close(f->udp);
	close(f->other);
}

#endif
