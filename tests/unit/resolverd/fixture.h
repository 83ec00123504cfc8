/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A whole resolver in a test's event loop: a scripted upstream, a scripted
 * mapper, and a client that asks by UDP or TCP.
 */
#ifndef TESTS_UNIT_RESOLVERD_FIXTURE_H
#define TESTS_UNIT_RESOLVERD_FIXTURE_H

#include "libipref/conn.h"
#include "resolverd/query.h"
#include "tests/unit/resolverd/fake_dns.h"

#define PORT 5300

enum mapper_how {
	MAPPER_ACK,
	MAPPER_NACK,
	MAPPER_SILENT,
	MAPPER_LATE,	  /* answers when the next request comes */
	MAPPER_OTHER_GW,  /* ACK about another context */
	MAPPER_OTHER_REF, /* ACK about another reference */
	MAPPER_LOOPBACK,  /* ACK with an ea that is no host's */
	MAPPER_NETWORK,	  /* ACK with the encoding network's first address */
	MAPPER_BROADCAST, /* its last */
	MAPPER_NO_EA,	  /* ACK with an ea of zeros */
	MAPPER_HANGS_UP,  /* closes the connection, once */
};

/* The ea that the mapper gives: the local version's encoding network and the
 * last byte of the reference; LOOKUP_EA knows those ending in 1 to 9. */
struct fake_mapper {
	struct event_base *base;
	char path[64];
	int fd;
	struct event *ev;
	struct conn *conn; /* the last one that came */
	struct conn_stats stats;
	struct msg_format fmt;
	struct prefix net;
	enum mapper_how how;
	unsigned asked;
	char names[8][NAME_TEXT_MAX]; /* asked with, by number of request */
	struct arec seen[8];	      /* likewise */
	uint16_t late_id;
	struct arec late;
};

struct fixture {
	struct event_base *base;
	struct fake_dns dns;
	struct fake_mapper mapper;
	struct resolver_conf conf;
	struct resolver r;
	struct endpoint at; /* of the resolver */
	int client;	    /* UDP */
	uint8_t answer[DNS_MESSAGE_MAX];
	size_t len; /* of the last answer */
	struct screened s;
	char text[70000];
};

/* A settings text list. */
static inline struct conf_list
conf_list_of(const char *const *texts, size_t n)
{
	struct conf_list l = {calloc(n + 1, sizeof(char *)), n};
	size_t i;

	for (i = 0; i < n; i++)
		l.v[i] = strdup(texts[i]);
	return l;
}

static inline void
conf_list_drop(struct conf_list *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct conf_list){0};
}

static inline void
mapper_reply(struct fake_mapper *m, const struct msg *req, struct arec *a)
{
	struct msg out = {.mode = MSG_ACK, .cmd = req->cmd, .id = req->id};

	out.n = 1;
	out.arecs = a;
	ck_assert_int_eq(conn_send(m->conn, &out), 0);
}

static inline void
mapper_nack(struct fake_mapper *m, const struct msg *req)
{
	struct msg out = {.mode = MSG_NACK, .cmd = req->cmd, .id = req->id};

	ck_assert_int_eq(conn_send(m->conn, &out), 0);
}

static inline void
mapper_lookup(struct fake_mapper *m, const struct msg *req, struct arec *a)
{
	static const char name[] = "asked.test.";
	struct msg out = {.mode = MSG_ACK, .cmd = req->cmd, .id = req->id};
	uint8_t last = a->ea.b[addr_len(a->ea.ver) - 1];

	if (m->how == MAPPER_SILENT)
		return;
	if (!last || last > 9) {
		mapper_nack(m, req);
		return;
	}
	out.n = 1;
	out.arecs = a;
	if (last != 9) /* that one was made for a packet */
		out.str = (struct msg_str){name, sizeof(name) - 1};
	ck_assert_int_eq(conn_send(m->conn, &out), 0);
}

static inline void
mapper_ea(struct fake_mapper *m, const struct msg *req, struct arec *a)
{
	struct msg late = {.cmd = req->cmd, .id = m->late_id};

	/* Not the first address, which is no host. */
	a->ea = prefix_host(&m->net, a->ref.b[15] ? a->ref.b[15] : 0x1000);
	switch (m->how) {
	case MAPPER_NACK:
		mapper_nack(m, req);
		return;
	case MAPPER_SILENT:
		return;
	case MAPPER_LATE:
		if (m->late_id)
			mapper_reply(m, &late, &m->late);
		m->late_id = m->late_id ? 0 : req->id;
		m->late = *a;
		if (m->late_id)
			return;
		break;
	case MAPPER_OTHER_GW:
		a->gw.b[addr_len(a->gw.ver) - 1] ^= 1;
		break;
	case MAPPER_OTHER_REF:
		a->ref.b[15] ^= 1;
		break;
	case MAPPER_LOOPBACK:
		a->ea = addr_zero(m->fmt.local_ver);
		a->ea.b[0] = m->fmt.local_ver == 4 ? 127 : 0;
		a->ea.b[addr_len(a->ea.ver) - 1] = 1;
		break;
	case MAPPER_NETWORK:
		a->ea = prefix_host(&m->net, 0);
		break;
	case MAPPER_BROADCAST:
		a->ea = prefix_host(&m->net, UINT64_MAX);
		break;
	case MAPPER_NO_EA:
		a->ea = addr_zero(m->fmt.local_ver);
		break;
	case MAPPER_HANGS_UP:
		m->how = MAPPER_ACK;
		conn_free(m->conn);
		m->conn = NULL;
		return;
	default:
		break;
	}
	mapper_reply(m, req, a);
}

static inline void
mapper_on_msg(struct conn *c, const struct msg *req, void *arg)
{
	struct fake_mapper *m = arg;
	struct arec a;

	if (!req) {
		if (m->conn == c)
			m->conn = NULL;
		conn_free(c);
		return;
	}
	m->conn = c;
	ck_assert_int_eq(req->mode, MSG_REQ);
	ck_assert_uint_eq(req->n, 1);
	a = msg_arec(req, 0);
	if (req->cmd == MSG_LOOKUP_EA) {
		mapper_lookup(m, req, &a);
		return;
	}
	ck_assert_int_eq(req->cmd, MSG_MC_GET_EA);
	snprintf(m->names[m->asked % 8], NAME_TEXT_MAX, "%.*s",
		(int)req->str.len, req->str.p ? req->str.p : "");
	m->seen[m->asked % 8] = a;
	m->asked++;
	mapper_ea(m, req, &a);
}

static inline void
mapper_on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct fake_mapper *m = arg;
	struct conn_config cfg = {.queue_max = 1 << 20,
		.handler = mapper_on_msg,
		.arg = m,
		.stats = &m->stats,
		.name = "client"};
	int c = accept(fd, NULL, NULL);

	(void)what;
	ck_assert_int_ge(c, 0);
	cfg.fmt = m->fmt;
	m->conn = conn_new(m->base, c, &cfg);
	ck_assert_ptr_nonnull(m->conn);
}

static inline void
mapper_start(struct fake_mapper *m)
{
	ck_assert_int_eq(conn_listen(m->path, 0600, &m->fd), 0);
	m->ev = event_new(
		m->base, m->fd, EV_READ | EV_PERSIST, mapper_on_accept, m);
	ck_assert_int_eq(event_add(m->ev, NULL), 0);
}

static inline void
mapper_stop(struct fake_mapper *m)
{
	if (!m->ev)
		return;
	event_free(m->ev);
	close(m->fd);
	unlink(m->path);
	conn_free(m->conn);
	m->conn = NULL;
	m->ev = NULL;
}

static inline void
fixture_conf(struct fixture *f, uint8_t local, uint8_t tunnel)
{
	static const char *const domains[] = {"test", "two.example"};
	static const char *const except[] = {"except.test"};
	static const char *const nets[] = {"127.0.0.0/8"};
	const char *net = local == 4 ? "10.240.0.0/12" : "fd00:240::/64";
	struct resolver_conf *c = &f->conf;

	memset(c, 0, sizeof(*c));
	ck_assert(prefix_parse(&c->common.encode_net, net, strlen(net)));
	c->common.mapper_socket = f->mapper.path;
	c->ea_ipver = local;
	c->gw_ipver = tunnel;
	c->ttl_cap = 3600;
	c->mapper_timeout = 150;
	c->max_queries = 100;
	c->domains = conf_list_of(domains, 2);
	c->except = conf_list_of(except, 1);
	c->allow = conf_list_of(nets, 1);
	c->transfer_to = conf_list_of(nets, 1);
}

static inline void
fixture_resolver(struct fixture *f, size_t tcp_max, uint64_t idle_ms)
{
	static const struct timeval timeout = {.tv_sec = QUERY_MS / 1000};
	struct endpoint_list up = {&f->dns.at, 1}, at = {&f->at, 1};
	struct upstream_config ucfg = {&up, 200, 600};
	struct mclient_config mcfg = {
		.path = f->mapper.path, .max_requests = 1000};
	struct listen_config lcfg = {
		&at, tcp_max, idle_ms, resolver_handle, &f->r};
	struct resolver *r = &f->r;

	r->base = f->base;
	r->conf = &f->conf;
	r->fmt = settings_format(&f->conf);
	TAILQ_INIT(&r->queries);
	TAILQ_INIT(&r->transfers);
	r->query_timeout = event_base_init_common_timeout(f->base, &timeout);
	ck_assert_int_eq(policy_make(&r->policy, &f->conf), 0);
	r->up = upstream_new(f->base, &ucfg);
	mcfg.fmt = r->fmt;
	mcfg.max_sent = f->conf.mapper_pipeline;
	r->mapper = mclient_new(f->base, &mcfg);
	ck_assert(r->up && r->mapper);
	ck_assert_int_eq(listen_new(&r->listen, f->base, &lcfg), 0);
}

static inline void
fixture_start(struct fixture *f, uint8_t local, uint8_t tunnel,
	const struct fake_rule *rules, size_t n)
{
	struct addr from = own_loopback(3);

	memset(f, 0, sizeof(*f));
	f->base = event_base_new();
	fake_start(&f->dns, f->base, 1, rules, n);
	f->mapper.base = f->base;
	snprintf(f->mapper.path, sizeof(f->mapper.path),
		"/tmp/test-resolverd-%d.sock", (int)getpid());
	fixture_conf(f, local, tunnel);
	f->mapper.fmt = settings_format(&f->conf);
	f->mapper.net = f->conf.common.encode_net;
	mapper_start(&f->mapper);
	f->at = (struct endpoint){own_loopback(2), PORT};
	fixture_resolver(f, 10, 10000);
	f->client = fake_socket(SOCK_DGRAM, &from, &(uint16_t){0});
	LOOP_UNTIL(f->base, mclient_stats(f->r.mapper)->connected);
}

static inline void
fixture_stop(struct fixture *f)
{
	ck_assert_uint_eq(f->r.n_queries, 0);
	resolver_drop_all(&f->r);
	listen_free(f->r.listen);
	mclient_free(f->r.mapper);
	upstream_free(f->r.up);
	zones_fini(&f->r.zones);
	policy_fini(&f->r.policy);
	mapper_stop(&f->mapper);
	fake_stop(&f->dns);
	close(f->client);
	conf_list_drop(&f->conf.domains);
	conf_list_drop(&f->conf.except);
	conf_list_drop(&f->conf.allow);
	conf_list_drop(&f->conf.transfer_to);
	conf_list_drop(&f->conf.zone);
	event_base_free(f->base);
}

/* A query as bytes; flags as in the header, edns_flags: -1 for no OPT. */
static inline size_t
query_bytes(uint8_t *buf, uint16_t id, const char *name, uint16_t type,
	uint16_t flags, int edns_flags)
{
	struct dns_question q = {named(name), type, DNS_CLASS_IN};
	struct dns_header h = {
		.id = id, .flags = flags, .counts = {1, 0, 0, edns_flags >= 0}};
	struct wbuf w;

	wbuf_init(&w, buf, 512);
	dns_header_put(&w, &h);
	dns_question_put(&w, &q);
	if (edns_flags >= 0) {
		wbuf_bytes(&w, "\0\0\x29\x04\xd0\0\0", 7);
		wbuf_be16(&w, (uint64_t)edns_flags);
		wbuf_be16(&w, 0);
	}
	ck_assert(wbuf_ok(&w));
	return w.len;
}

static inline bool
fixture_received(struct fixture *f)
{
	ssize_t n = recv(f->client, f->answer, sizeof(f->answer), 0);

	f->len = n > 0 ? (size_t)n : 0;
	return n > 0;
}

static inline void
fixture_send(struct fixture *f, const uint8_t *msg, size_t len)
{
	struct sockaddr_storage ss;
	socklen_t ss_len;

	addr_to_sockaddr(&f->at.addr, f->at.port, &ss, &ss_len);
	ck_assert_int_eq(
		sendto(f->client, msg, len, 0, (struct sockaddr *)&ss, ss_len),
		(ssize_t)len);
}

/* Asks by UDP and waits for the answer, which is screened. */
static inline void
fixture_ask_with(struct fixture *f, const char *name, uint16_t type,
	uint16_t flags, int edns_flags)
{
	uint8_t buf[512];

	fixture_send(f, buf,
		query_bytes(buf, 0x7777, name, type, flags, edns_flags));
	LOOP_UNTIL(f->base, fixture_received(f));
	ck_assert_int_eq(screen_message(&f->s, f->answer, f->len), SCREEN_OK);
	ck_assert_uint_eq(f->s.header.id, 0x7777);
	ck_assert_uint_eq(f->s.question.type, type);
}

static inline void
fixture_ask(struct fixture *f, const char *name, uint16_t type)
{
	fixture_ask_with(f, name, type, DNS_RD, 0);
}

static inline const char *
fixture_section(struct fixture *f, ldns_pkt_section section)
{
	return section_text(f->answer, f->len, section, f->text);
}

#endif
