/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Invariants: a client is in the table by its number as long as it is
 * connected; whatever outlives a call names clients by number. in_flight counts
 * questions given to the mapper and not yet answered.
 */
#include "mapperd/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libipref/log.h"

struct server_client {
	uint64_t id; /* key */
	unsigned roles;
	unsigned in_flight;
	bool paused;
	const struct client_link *link;
	void *peer;
};

struct server {
	struct server_config cfg;
	struct mapper *mapper;
	struct feed *feed;
	struct table clients; /* struct server_client by id; owned */
	uint64_t last_id;
	struct server_stats stats;
	struct log_limit limit;
	struct arec *recs; /* owned: records of the message in hand */
	size_t recs_room;
};

typedef void (*handler)(
	struct server *s, struct server_client *c, const struct msg *m);

static struct server_client *
client_find(const struct server *s, uint64_t id)
{
	return table_get(&s->clients, &id);
}

/* 0 or -errno; a client that does not read is dropped by conn. */
static int
send_to(uint64_t id, const struct msg *m, void *arg)
{
	struct server *s = arg;
	struct server_client *c = client_find(s, id);

	return c ? c->link->send(c->peer, m) : -ENOTCONN;
}

static size_t
queued_to(uint64_t id, void *arg)
{
	const struct server_client *c = client_find(arg, id);

	return c ? c->link->queued(c->peer) : 0;
}

static void
reply(struct server *s, uint64_t client, const struct msg *m)
{
	int err = send_to(client, m, s);

	if (err && err != -ENOTCONN)
		log_limited(&s->limit, LOG_LEVEL_WARN,
			"client %llu: an answer is lost: %s",
			(unsigned long long)client, strerror(-err));
}

static const char not_for_you[] = "its user may not follow the mappings";

static void
nack(struct server *s, const struct server_client *c, const struct msg *req)
{
	struct msg m = {.mode = MSG_NACK, .cmd = req->cmd, .id = req->id};

	if (req->cmd == MSG_MC_HOST_DATA || req->cmd == MSG_MC_HOST_DATA_HASH) {
		m.count = req->count;
		m.hash = req->hash;
		m.local = req->local;
		m.domain = req->domain;
	}
	if (req->cmd == MSG_FEED_START) /* which says why */
		m.str = (struct msg_str){not_for_you, strlen(not_for_you)};
	reply(s, c->id, &m);
}

/* One question less; reading goes on when enough are answered. */
static void
answered(struct server *s, uint64_t id)
{
	struct server_client *c = client_find(s, id);

	if (!c)
		return;
	c->in_flight--;
	if (c->paused && c->in_flight <= IN_FLIGHT_MAX / 2) {
		c->paused = false;
		c->link->pause(c->peer, false);
	}
}

static void
fill_answer(struct msg *m, const struct ask *a, const struct arec *rec,
	const struct entry *e)
{
	switch (a->cmd) {
	case MSG_MC_HOST_DATA:
	case MSG_MC_HOST_DATA_HASH:
		m->count = a->batch;
		m->hash = a->hash;
		msg_set_source(m, a->echo);
		return;
	case MSG_FEED_HOLD:
		m->n = a->batch;
		m->arecs = rec;
		return;
	case MSG_LOOKUP_EA:
		if (e && e->name)
			m->str = (struct msg_str){e->name, strlen(e->name)};
		break;
	}
	if (e)
		m->mark = (struct msg_mark){e->owner, (uint32_t)e->born};
	else
		m->mark.owner = OWNER_MAPPER;
	m->arecs = rec;
	m->n = rec ? 1 : 0;
}

static void
on_answer(const struct ask *a, enum ask_result res, const struct arec *rec,
	const struct entry *e, void *arg)
{
	struct server *s = arg;
	struct msg m = {
		.mode = res == ASK_OK ? MSG_ACK : MSG_NACK,
		.cmd = a->cmd,
		.id = a->id,
	};

	if (res == ASK_OK || a->echo)
		fill_answer(&m, a, rec, e);
	reply(s, a->client, &m);
	answered(s, a->client);
}

static void
on_publish(uint64_t revision, const struct change *c, void *arg)
{
	struct server *s = arg;

	if (s->feed && feed_publish(s->feed, revision, c))
		s->cfg.feeding(s->cfg.arg);
	if (s->cfg.published)
		s->cfg.published(revision, c, s->cfg.arg);
}

static uint64_t
on_clock(void *arg)
{
	struct server *s = arg;

	return s->cfg.now(s->cfg.arg);
}

static void
on_fatal(const char *why, void *arg)
{
	struct server *s = arg;

	s->cfg.fatal(why, s->cfg.arg);
}

/* A name that people can read later: printable ASCII, else none. */
static const char *
get_name(const struct msg_str *str, char buf[ENTRY_NAME_MAX + 1])
{
	size_t i;

	if (!str->len || str->len > ENTRY_NAME_MAX)
		return NULL;
	for (i = 0; i < str->len; i++)
		if (str->p[i] <= ' ' || str->p[i] >= 0x7f)
			return NULL;
	memcpy(buf, str->p, str->len);
	buf[str->len] = '\0';
	return buf;
}

static struct ask
new_ask(struct server_client *c, const struct msg *m)
{
	c->in_flight++;
	return (struct ask){
		.cmd = m->cmd,
		.id = m->id,
		.client = c->id,
		.batch = m->count,
		.hash = m->hash,
	};
}

/* The message's records, in memory of ours until the next message. */
static const struct arec *
get_records(struct server *s, const struct msg *m)
{
	struct arec *recs;
	size_t i;

	if (m->n > s->recs_room || !s->recs) {
		recs = reallocarray(s->recs, m->n + 1, sizeof(*recs));
		if (!recs)
			return NULL;
		s->recs = recs;
		s->recs_room = m->n;
	}
	for (i = 0; i < m->n; i++)
		s->recs[i] = msg_arec(m, i);
	return s->recs;
}

static void
handle_question(struct server *s, struct server_client *c, const struct msg *m)
{
	char name[ENTRY_NAME_MAX + 1];
	struct ask a = new_ask(c, m);

	a.arec = msg_arec(m, 0);
	a.name = get_name(&m->str, name);
	mapper_ask(s->mapper, &a);
}

/* The source's strings as they came; NUL bytes have been refused. */
static void
get_echo(const struct msg *m, struct source *echo)
{
	memset(echo, 0, sizeof(*echo));
	memcpy(echo->local, m->local.p, m->local.len);
	memcpy(echo->domain, m->domain.p, m->domain.len);
}

static void
handle_host(struct server *s, struct server_client *c, const struct msg *m)
{
	const struct arec *recs = get_records(s, m);
	struct source source, echo;
	struct ask a;

	if (!recs || !msg_source(m, &source)) {
		log_limited(&s->limit, LOG_LEVEL_WARN,
			"client %llu: a source without sense is refused",
			(unsigned long long)c->id);
		nack(s, c, m);
		return;
	}
	get_echo(m, &echo);
	a = new_ask(c, m);
	a.source = &source;
	a.echo = &echo;
	if (m->cmd == MSG_MC_HOST_DATA)
		mapper_host_data(s->mapper, &a, recs, m->n);
	else
		mapper_ask(s->mapper, &a);
}

static void
handle_report(struct server *s, struct server_client *c, const struct msg *m)
{
	const struct arec *recs = get_records(s, m);
	struct ask a;

	if (!recs) {
		nack(s, c, m);
		return;
	}
	a = new_ask(c, m);
	switch (m->cmd) {
	case MSG_FEED_PROVED:
		mapper_proved(s->mapper, &a, recs, m->n);
		break;
	case MSG_FEED_HOLD:
		mapper_hold(s->mapper, &a, recs, m->n);
		break;
	default:
		mapper_used(s->mapper, &a, recs, m->n);
	}
}

static void
handle_feed_start(
	struct server *s, struct server_client *c, const struct msg *m)
{
	feed_start(s->feed, c->id, m);
	s->cfg.feeding(s->cfg.arg);
}

static void
handle_noop(struct server *s, struct server_client *c, const struct msg *m)
{
	(void)s;
	(void)c;
	(void)m;
}

/* An empty row refuses and counts. */
static const struct handler_row {
	handler fn;
	unsigned role;
} handlers[MSG_N_CMDS] = {
	[MSG_NOOP] = {handle_noop, 0},
	[MSG_GET_REF] = {handle_question, ROLE_FEED},
	[MSG_GET_EA] = {handle_question, ROLE_FEED},
	[MSG_MC_GET_EA] = {handle_question, ROLE_RESOLVE},
	[MSG_MC_HOST_DATA] = {handle_host, ROLE_PUBLISH},
	[MSG_MC_HOST_DATA_HASH] = {handle_host, ROLE_PUBLISH},
	[MSG_FEED_START] = {handle_feed_start, ROLE_FEED},
	[MSG_FEED_USED] = {handle_report, ROLE_FEED},
	[MSG_FEED_PROVED] = {handle_report, ROLE_FEED},
	[MSG_FEED_HOLD] = {handle_report, ROLE_FEED},
	[MSG_LOOKUP_EA] = {handle_question, ROLE_RESOLVE},
};

static void
message(struct server *s, struct server_client *c, const struct msg *m)
{
	const struct handler_row *row = &handlers[m->cmd % MSG_N_CMDS];

	if (!row->fn || (m->mode != MSG_REQ && m->cmd != MSG_NOOP)) {
		s->stats.refused_cmd++;
		log_limited(&s->limit, LOG_LEVEL_WARN,
			"client %llu: %s %s is nothing to be sent to a mapper",
			(unsigned long long)c->id, msg_mode_name(m->mode),
			msg_cmd_name(m->cmd));
		return;
	}
	if (row->role & ~c->roles) {
		s->stats.forbidden++;
		log_limited(&s->limit, LOG_LEVEL_WARN,
			"client %llu: %s is not for its user",
			(unsigned long long)c->id, msg_cmd_name(m->cmd));
		nack(s, c, m);
		return;
	}
	row->fn(s, c, m);
}

void
server_message(struct server *s, uint64_t client, const struct msg *m)
{
	struct server_client *c = client_find(s, client);

	if (!c)
		return;
	message(s, c, m);
	if (c->in_flight >= IN_FLIGHT_MAX && !c->paused) {
		c->paused = true;
		c->link->pause(c->peer, true);
	}
}

static void
client_leave(struct server *s, struct server_client *c)
{
	uint64_t id = c->id;

	table_del(&s->clients, &id);
	s->stats.disconnects++;
	if (s->feed)
		feed_leave(s->feed, id);
	mapper_client_gone(s->mapper, id);
	c->link->close(c->peer);
	free(c);
}

void
server_leave(struct server *s, uint64_t client)
{
	struct server_client *c = client_find(s, client);

	if (c)
		client_leave(s, c);
}

uint64_t
server_join(struct server *s, const struct client_link *link, void *peer)
{
	struct server_client *c = calloc(1, sizeof(*c));

	if (c) {
		c->id = ++s->last_id;
		c->link = link;
		c->peer = peer;
	}
	if (!c || table_put(&s->clients, c)) {
		free(c);
		s->stats.turned_away++;
		return 0;
	}
	s->stats.connects++;
	return c->id;
}

void
server_allow(struct server *s, uint64_t client, unsigned roles)
{
	struct server_client *c = client_find(s, client);

	if (c)
		c->roles = roles;
}

struct server *
server_new(const struct server_config *cfg)
{
	struct server *s = calloc(1, sizeof(*s));
	struct mapper_hooks hooks = {
		.now = on_clock,
		.answer = on_answer,
		.publish = on_publish,
		.fatal = on_fatal,
		.arg = s,
	};

	if (!s)
		return NULL;
	s->cfg = *cfg;
	table_init(&s->clients, offsetof(struct server_client, id),
		sizeof(uint64_t), CLIENTS_MAX);
	s->mapper = mapper_new(&cfg->mapper, &hooks);
	if (s->mapper)
		return s;
	free(s);
	return NULL;
}

struct mapper *
server_mapper(struct server *s)
{
	return s->mapper;
}

int
server_start(struct server *s, const struct store *store)
{
	const struct host_rules *rules = &s->cfg.mapper.rules;
	const struct feed_config cfg = {
		.profile = {rules->encode, rules->pub, s->cfg.mapper.own_ref},
		.store = store->identity,
		.entries = mapper_entries(s->mapper),
		.ring_max = s->cfg.ring_max,
		.send = send_to,
		.queued = queued_to,
		.arg = s,
	};

	s->feed = feed_new(&cfg, store->revision, store->oldest,
		mapper_removed(s->mapper));
	return s->feed ? 0 : -ENOMEM;
}

void
server_stop(struct server *s)
{
	struct server_client *c;
	size_t pos;

	mapper_stop(s->mapper);
	while (pos = 0, (c = table_next(&s->clients, &pos)))
		client_leave(s, c);
}

void
server_free(struct server *s)
{
	if (!s)
		return;
	table_fini(&s->clients);
	feed_free(s->feed);
	mapper_free(s->mapper);
	free(s->recs);
	free(s);
}

const struct server_stats *
server_stats(const struct server *s)
{
	return &s->stats;
}

struct feed *
server_feed(const struct server *s)
{
	return s->feed;
}

size_t
server_clients(const struct server *s)
{
	return s->clients.n;
}
