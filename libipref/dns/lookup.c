/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stub client.
 *
 * A lookup is in one of these states, told by what it holds:
 *	waiting   timer only; the loop starts its next try (next_try)
 *	UDP       fd, readable and timer; ends by take_datagram, on_timer
 *	TCP       stream; ends by take_message, take_end
 * It leaves the list of its client in finish() or lookup_cancel(), which free
 * it: whoever called one of these, or next_try(), returns at once.
 */
#include "libipref/dns/lookup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "libipref/dns/stream.h"

#define QUERY_MAX (DNS_HEADER + NAME_WIRE_MAX + 4)
#define BURST	  8 /* datagrams read for one lookup in one go */

struct lookup {
	TAILQ_ENTRY(lookup) entry;
	struct lookups *client;
	struct dns_question question;
	lookup_done done;
	void *arg;
	size_t tries;  /* begun */
	size_t server; /* of the present try */
	uint16_t id;   /* likewise */
	int fd;	       /* -1: none */
	struct event *readable, *timer;
	struct stream *stream;
	const char *why; /* the last failure; static text or strerror's */
};

struct lookups {
	struct event_base *base;
	struct lookup_config cfg;
	size_t first; /* server that answered last */
	struct lookup_stats stats;
	TAILQ_HEAD(, lookup) list;
	uint8_t datagram[DNS_MESSAGE_MAX];
};

static void next_try(struct lookup *l);

/* Ends the present try, whatever it is. */
static void
end_try(struct lookup *l)
{
	if (l->readable)
		event_free(l->readable);
	l->readable = NULL;
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	stream_free(l->stream);
	l->stream = NULL;
	event_del(l->timer);
}

static void
lookup_free(struct lookup *l)
{
	if (l->timer) {
		end_try(l);
		event_free(l->timer);
	}
	free(l);
}

static void
finish(struct lookup *l, const struct lookup_answer *a)
{
	struct lookups *c = l->client;

	TAILQ_REMOVE(&c->list, l, entry);
	c->stats.in_flight--;
	if (a->result == LOOKUP_FAILED)
		c->stats.failed++;
	else
		c->first = l->server;
	event_del(l->timer);
	/* The answer may lie in the stream's buffer. */
	l->done(a, l->arg);
	lookup_free(l);
}

static void
fail_try(struct lookup *l, const char *why)
{
	l->why = why;
	end_try(l);
	next_try(l);
}

/* --- judging answers ------------------------------------------------------ */

/* The name at the end of the answer's CNAMEs, followed from the question. */
static struct name
chain_end(const struct lookup_answer *a)
{
	size_t n = a->screened->header.counts[DNS_ANSWER], i, followed = 0;
	struct name name = a->screened->question.name;
	struct dns_rr rr;
	struct rbuf r;

	rbuf_init(&r, a->msg, a->len);
	rbuf_skip(&r, a->screened->at[DNS_ANSWER]);
	for (i = 0; i < n; i++) {
		rr = dns_rr_get(&r);
		if (rr.type != DNS_TYPE_CNAME || !name_eq(&rr.owner, &name) ||
			!dns_target_get(&name, &rr, a->msg, a->len))
			continue;
		/* The next may stand before this one; but not for ever. */
		if (++followed > 16)
			break;
		i = (size_t)-1;
		rbuf_init(&r, a->msg, a->len);
		rbuf_skip(&r, a->screened->at[DNS_ANSWER]);
	}
	return name;
}

/* Walks the answer's records of a type at a name. */
static bool
next_rr(const struct lookup_answer *a, struct rbuf *r, size_t *i,
	const struct name *owner, uint16_t type, struct dns_rr *rr)
{
	if (!*i) {
		rbuf_init(r, a->msg, a->len);
		rbuf_skip(r, a->screened->at[DNS_ANSWER]);
	}
	while ((*i)++ < a->screened->header.counts[DNS_ANSWER]) {
		*rr = dns_rr_get(r);
		if ((rr->type == type || type == DNS_TYPE_ANY) &&
			rr->class == DNS_CLASS_IN && name_eq(&rr->owner, owner))
			return true;
	}
	return false;
}

size_t
lookup_addrs(const struct lookup_answer *a, uint8_t ver, struct addr *out,
	size_t max)
{
	uint16_t type = ver == 4 ? DNS_TYPE_A : DNS_TYPE_AAAA;
	struct dns_rr rr;
	struct name end;
	struct rbuf r;
	size_t i = 0, n = 0;

	if (!a->msg)
		return 0;
	end = chain_end(a);
	while (n < max && next_rr(a, &r, &i, &end, type, &rr))
		out[n++] = addr_from_bytes(ver, rr.rdata);
	return n;
}

static enum lookup_result
result_of(const struct lookup_answer *a)
{
	const struct dns_question *q = &a->screened->question;
	struct name end = q->name;
	struct dns_rr rr;
	struct rbuf r;
	size_t i = 0;

	if (screen_rcode(a->screened) == DNS_NXDOMAIN)
		return LOOKUP_NXDOMAIN;
	if (q->type != DNS_TYPE_CNAME && q->type != DNS_TYPE_ANY)
		end = chain_end(a);
	return next_rr(a, &r, &i, &end, q->type, &rr) ? LOOKUP_YES
						      : LOOKUP_NODATA;
}

/* It is the answer to our question. */
static bool
is_ours(const struct lookup *l, const struct screened *s)
{
	return s->header.id == l->id && (s->header.flags & DNS_QR) &&
	       DNS_OPCODE_OF(s->header.flags) == 0 &&
	       s->header.counts[DNS_QUESTION] == 1 &&
	       dns_question_eq(&s->question, &l->question);
}

/* NULL, or why the next server is to be asked. A server that neither recurses
 * nor has the zone knows nothing of the name. */
static const char *
refusal(const struct screened *s)
{
	switch (screen_rcode(s)) {
	case DNS_NOERROR:
		if (s->header.counts[DNS_ANSWER] ||
			(s->header.flags & (DNS_AA | DNS_RA)))
			return NULL;
		return "a referral for an answer";
	case DNS_NXDOMAIN:
		return NULL;
	case DNS_SERVFAIL:
		return "SERVFAIL";
	case DNS_REFUSED:
		return "REFUSED";
	case DNS_FORMERR:
		return "FORMERR";
	default:
		return "an rcode that is no answer";
	}
}

/* --- TCP ------------------------------------------------------------------ */

/* What a message of ours means: the end of this try, at least. */
static void
take_answer(struct lookup *l, const uint8_t *msg, size_t len,
	const struct screened *s)
{
	struct lookup_answer a = {.msg = msg, .len = len, .screened = s};
	const char *why = refusal(s);

	if (why) {
		fail_try(l, why);
		return;
	}
	a.result = result_of(&a);
	finish(l, &a);
}

static bool
take_message(const uint8_t *msg, size_t len, void *arg)
{
	struct lookup *l = arg;
	struct screened s;

	if (screen_message(&s, msg, len) || !is_ours(l, &s) ||
		(s.header.flags & DNS_TC)) {
		l->client->stats.strays++;
		fail_try(l, "a broken answer by TCP");
	} else {
		take_answer(l, msg, len, &s);
	}
	return false;
}

static void
take_end(int err, void *arg)
{
	struct lookup *l = arg;

	if (err == ETIMEDOUT)
		l->client->stats.timeouts++;
	fail_try(l, strerror(err));
}

static size_t
make_query(const struct lookup *l, uint8_t query[QUERY_MAX])
{
	struct wbuf w;

	wbuf_init(&w, query, QUERY_MAX);
	dns_query_put(&w, l->id, DNS_RD, &l->question, 0);
	return wbuf_ok(&w) ? w.len : 0;
}

static void
start_tcp(struct lookup *l)
{
	struct lookups *c = l->client;
	const struct stream_config cfg = {
		/* The list may have become shorter; the array has not. */
		.server = c->cfg.servers[l->server],
		.idle_ms = c->cfg.try_ms,
		.total_ms = c->cfg.try_ms,
		.message = take_message,
		.end = take_end,
		.arg = l,
	};
	uint8_t query[QUERY_MAX];
	size_t len = make_query(l, query);

	end_try(l);
	c->stats.tcp++;
	l->stream = stream_new(c->base, &cfg);
	if (!l->stream || stream_send(l->stream, query, len))
		fail_try(l, "no connection by TCP");
}

/* --- UDP ------------------------------------------------------------------ */

/* False when the try, and maybe the lookup, is over. */
static bool
take_datagram(struct lookup *l, const uint8_t *msg, size_t len)
{
	struct screened s;
	enum screen_result res = screen_message(&s, msg, len);
	bool cut = (s.header.flags & DNS_TC) != 0;

	/* A truncated answer need not be whole; by TCP it must be. */
	if (s.header.id != l->id || (res && !cut) ||
		(!res && !is_ours(l, &s))) {
		l->client->stats.strays++;
		return true;
	}
	if (cut)
		start_tcp(l);
	else
		take_answer(l, msg, len, &s);
	return false;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct lookup *l = arg;
	struct lookups *c = l->client;
	ssize_t n;
	int i;

	(void)what;
	for (i = 0; i < BURST; i++) {
		n = recv(fd, c->datagram, sizeof(c->datagram), 0);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			fail_try(l, strerror(errno));
			return;
		}
		if (!take_datagram(l, c->datagram, (size_t)n))
			return;
	}
}

/* A socket of its own: the kernel picks a random port for each. */
static int
open_udp(struct lookup *l)
{
	struct lookups *c = l->client;
	const struct endpoint *server = &c->cfg.servers[l->server];
	struct sockaddr_storage ss;
	socklen_t len;

	addr_to_sockaddr(&server->addr, server->port ? server->port : DNS_PORT,
		&ss, &len);
	if (!len)
		return -EINVAL;
	l->fd = socket(
		ss.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0 || connect(l->fd, (struct sockaddr *)&ss, len))
		return -errno;
	return 0;
}

static int
send_udp(struct lookup *l)
{
	struct lookups *c = l->client;
	const struct timeval tv = {
		.tv_sec = (time_t)(c->cfg.try_ms / 1000),
		.tv_usec = (suseconds_t)(c->cfg.try_ms % 1000 * 1000),
	};
	uint8_t query[QUERY_MAX];
	size_t len;
	int err;

	if (getrandom(&l->id, sizeof(l->id), 0) != (ssize_t)sizeof(l->id))
		return -errno;
	err = open_udp(l);
	if (err)
		return err;
	len = make_query(l, query);
	if (send(l->fd, query, len, MSG_NOSIGNAL) != (ssize_t)len)
		return -errno;
	l->readable =
		event_new(c->base, l->fd, EV_READ | EV_PERSIST, on_readable, l);
	if (!l->readable || event_add(l->readable, NULL) ||
		event_add(l->timer, &tv))
		return -ENOMEM;
	c->stats.queries++;
	return 0;
}

/* Begins the next try that can be begun, or ends the lookup. */
static void
next_try(struct lookup *l)
{
	struct lookups *c = l->client;
	struct lookup_answer failed = {.result = LOOKUP_FAILED};
	int err;

	while (l->tries < c->cfg.rounds * c->cfg.n_servers) {
		l->server = (c->first + l->tries++) % c->cfg.n_servers;
		err = send_udp(l);
		if (!err)
			return;
		l->why = strerror(-err);
		end_try(l);
	}
	failed.why = l->why;
	finish(l, &failed);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct lookup *l = arg;

	(void)fd;
	(void)what;
	if (l->fd < 0) {
		next_try(l);
		return;
	}
	l->client->stats.timeouts++;
	fail_try(l, "no answer");
}

/* --- the client ----------------------------------------------------------- */

struct lookups *
lookups_new(struct event_base *base, const struct lookup_config *cfg)
{
	struct lookups *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->base = base;
	c->cfg = *cfg;
	TAILQ_INIT(&c->list);
	return c;
}

void
lookups_free(struct lookups *c)
{
	struct lookup *l;

	if (!c)
		return;
	while ((l = TAILQ_FIRST(&c->list)))
		lookup_cancel(l);
	free(c);
}

void
lookups_set_servers(struct lookups *c, const struct endpoint *servers, size_t n)
{
	if (n > LOOKUP_SERVERS_MAX)
		n = LOOKUP_SERVERS_MAX;
	if (n)
		memcpy(c->cfg.servers, servers, n * sizeof(*servers));
	c->cfg.n_servers = n;
	c->first = 0;
}

const struct lookup_stats *
lookups_stats(const struct lookups *c)
{
	return &c->stats;
}

struct lookup *
lookup_start(struct lookups *c, const struct dns_question *q, lookup_done done,
	void *arg)
{
	const struct timeval at_once = {0};
	struct lookup *l;

	if (c->stats.in_flight >= c->cfg.max_in_flight) {
		errno = EAGAIN;
		return NULL;
	}
	l = calloc(1, sizeof(*l));
	if (l) {
		*l = (struct lookup){
			.client = c,
			.question = *q,
			.done = done,
			.arg = arg,
			.fd = -1,
			.why = "no servers are known",
		};
		l->timer = evtimer_new(c->base, on_timer, l);
	}
	if (!l || !l->timer || evtimer_add(l->timer, &at_once)) {
		if (l)
			lookup_free(l);
		errno = ENOMEM;
		return NULL;
	}
	c->stats.lookups++;
	c->stats.in_flight++;
	TAILQ_INSERT_TAIL(&c->list, l, entry);
	return l;
}

void
lookup_cancel(struct lookup *l)
{
	TAILQ_REMOVE(&l->client->list, l, entry);
	l->client->stats.in_flight--;
	lookup_free(l);
}
