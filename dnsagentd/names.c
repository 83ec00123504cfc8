/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rounds of lookups.
 *
 * A round has a task per host part, then one per context name; `next` is the
 * first that has not begun. Tasks begin as far as the clients' bounds allow,
 * more as others end. The round is over when next has reached the end and
 * nothing is under way. Only then do its addresses replace those of before.
 *
 * When the first NOBODY lookups of a kind have all failed, the servers are
 * taken for dead and the rest of that kind is not asked: unanswered too.
 */
#include "dnsagentd/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "libipref/log.h"

#define SERVERS_SPARE 8 /* lookups of servers' names beside */
#define ROUNDS	      2
#define NOBODY	      64
#define ADDRS_MAX     16

enum kind {
	LOCAL,
	CONTEXT,
	N_KINDS,
};

enum outcome {
	UNANSWERED,
	NONE,
	FOUND,
};

struct task {
	struct names *names;
	enum kind kind;
	enum outcome outcome;
	size_t index;	      /* of the host part or context */
	const uint8_t *label; /* LOCAL: inside hosts */
	uint8_t label_len;
	struct addr before;    /* version 0: none */
	bool known;	       /* answered, in this round or before */
	struct lookup *lookup; /* under way */
};

struct names {
	struct names_config cfg;
	struct lookups *clients[N_KINDS]; /* owned */
	struct event *over;		  /* ends a round from the loop */
	struct hosts_ref *hosts; /* of the round; NULL before the first */
	struct task *tasks;	 /* owned */
	size_t n_tasks, next, under_way;
	size_t answered[N_KINDS], failed[N_KINDS];
	struct addr *ips, *contexts; /* of the round; owned */
	bool busy;
	struct names_result result;
	struct log_limit limit;
};

static void begin_tasks(struct names *n);

static struct addr *
slot(const struct task *t)
{
	return (t->kind == LOCAL ? t->names->ips : t->names->contexts) +
	       t->index;
}

static uint8_t
version(const struct task *t)
{
	return t->kind == LOCAL ? t->names->cfg.local_ver
				: t->names->cfg.tunnel_ver;
}

static bool
task_name(const struct task *t, struct name *name)
{
	if (t->kind == LOCAL)
		return name_join(
			name, t->label, t->label_len, &t->names->cfg.local);
	*name = t->names->hosts->hosts.contexts[t->index];
	return true;
}

/* Says why a name is left out, or goes on with what was known. */
static void
report(struct task *t, const char *why)
{
	char text[NAME_TEXT_MAX];
	struct name name = {0};
	const char *then = "left out";

	if (!task_name(t, &name))
		name = (struct name){0};
	if (t->outcome == UNANSWERED)
		then = t->before.ver ? "the last address stays"
		       : t->known    ? "still left out"
				     : "waiting";
	log_limited(&t->names->limit, LOG_LEVEL_WARN,
		"source %s: %s %s: %s: %s", t->names->cfg.label,
		t->kind == LOCAL ? "host" : "context", name_format(&name, text),
		why, then);
}

/* The address of before if it is still there, else the first that a host can
 * have. */
static bool
choose(const struct task *t, const struct lookup_answer *a, struct addr *out)
{
	struct addr addrs[ADDRS_MAX];
	size_t i, n = lookup_addrs(a, version(t), addrs, ADDRS_MAX);
	bool found = false;

	for (i = 0; i < n; i++) {
		if (!addr_is_global_unicast(&addrs[i]))
			continue;
		if (!found || addr_eq(&addrs[i], &t->before))
			*out = addrs[i];
		found = true;
	}
	return found;
}

static void
settle_task(struct task *t, const struct lookup_answer *a)
{
	struct names *n = t->names;

	if (a->result == LOOKUP_FAILED) {
		n->failed[t->kind]++;
		*slot(t) = t->before;
		report(t, a->why);
		return;
	}
	n->answered[t->kind]++;
	t->known = true;
	if (a->result == LOOKUP_YES && choose(t, a, slot(t))) {
		t->outcome = FOUND;
		return;
	}
	t->outcome = NONE;
	report(t, a->result == LOOKUP_NXDOMAIN ? "does not exist"
					       : "has no address");
}

static void
on_answer(const struct lookup_answer *a, void *arg)
{
	struct task *t = arg;

	t->lookup = NULL;
	t->names->under_way--;
	settle_task(t, a);
	begin_tasks(t->names);
}

static bool
nobody_answers(const struct names *n, enum kind kind)
{
	return !n->answered[kind] && n->failed[kind] >= NOBODY;
}

/* False: not now, the clients are busy. */
static bool
begin(struct task *t)
{
	struct names *n = t->names;
	struct dns_question q = {
		.type = version(t) == 4 ? DNS_TYPE_A : DNS_TYPE_AAAA,
		.class = DNS_CLASS_IN,
	};

	if (nobody_answers(n, t->kind)) {
		*slot(t) = t->before;
		return true;
	}
	if (!task_name(t, &q.name)) {
		t->outcome = NONE;
		report(t, "its name is too long");
		return true;
	}
	t->lookup = lookup_start(n->clients[t->kind], &q, on_answer, t);
	if (t->lookup)
		n->under_way++;
	else if (n->under_way)
		return false; /* goes on when one of them ends */
	else
		*slot(t) = t->before; /* no memory */
	return true;
}

static void
begin_tasks(struct names *n)
{
	while (n->next < n->n_tasks && n->under_way < n->cfg.in_flight &&
		begin(&n->tasks[n->next]))
		n->next++;
	if (n->busy && n->next == n->n_tasks && !n->under_way)
		event_active(n->over, EV_TIMEOUT, 0);
}

static void
count(struct names *n)
{
	struct names_result *r = &n->result;
	size_t i;

	*r = (struct names_result){
		.ips = n->ips, .contexts = n->contexts, .asked = n->n_tasks};
	for (i = 0; i < n->n_tasks; i++) {
		const struct task *t = &n->tasks[i];

		r->found += t->outcome == FOUND;
		r->none += t->outcome == NONE;
		if (t->outcome == UNANSWERED && t->known)
			r->kept++;
		else if (t->outcome == UNANSWERED)
			r->unknown++;
	}
}

static void
on_over(evutil_socket_t fd, short what, void *arg)
{
	struct names *n = arg;

	(void)fd;
	(void)what;
	n->busy = false;
	count(n);
	n->cfg.done(n->cfg.arg);
}

/* --- the next round ------------------------------------------------------- */

static int
part_order(const uint8_t *a, size_t a_len, const struct host *b)
{
	int order = memcmp(a, b->label, NAME_LABEL_MAX);

	return order ? order : (int)a_len - b->label_len;
}

/* The task that a host part had: both lists are sorted, *pos moves on. */
static const struct task *
task_before(const struct names *old, const struct host *host, size_t *pos)
{
	const struct hosts *h;
	int order = -1;

	if (!old->hosts)
		return NULL;
	h = &old->hosts->hosts;
	for (; *pos < h->n && order < 0; (*pos)++)
		order = part_order(
			h->v[*pos].label, h->v[*pos].label_len, host);
	if (order >= 0)
		(*pos)--;
	return order ? NULL : &old->tasks[h->v[*pos].name];
}

static int
name_order(const void *a, const void *b)
{
	return name_cmp(a, b);
}

static const struct task *
context_before(const struct names *old, const struct name *name)
{
	const struct hosts *h = old->hosts ? &old->hosts->hosts : NULL;
	const struct name *found = NULL;

	if (h && h->n_contexts)
		found = bsearch(name, h->contexts, h->n_contexts,
			sizeof(*found), name_order);
	return found ? &old->tasks[h->n_names + (size_t)(found - h->contexts)]
		     : NULL;
}

static struct task *
add_task(struct names *n, enum kind kind, size_t index, const struct names *old,
	const struct task *before)
{
	struct task *t = &n->tasks[n->n_tasks++];

	*t = (struct task){.names = n, .kind = kind, .index = index};
	if (before) {
		t->known = before->known;
		t->before = kind == LOCAL ? old->ips[before->index]
					  : old->contexts[before->index];
	}
	return t;
}

/* First the host parts, by number, then the contexts: task_before() and
 * context_before() count on it. */
static void
add_tasks(struct names *n, const struct names *old)
{
	const struct hosts *h = &n->hosts->hosts;
	size_t i, pos = 0;
	struct task *t;

	for (i = 0; i < h->n; i++) {
		if (i && h->v[i].name == h->v[i - 1].name)
			continue;
		t = add_task(n, LOCAL, h->v[i].name, old,
			task_before(old, &h->v[i], &pos));
		t->label = h->v[i].label;
		t->label_len = h->v[i].label_len;
	}
	for (i = 0; i < h->n_contexts; i++)
		add_task(n, CONTEXT, i, old,
			context_before(old, &h->contexts[i]));
}

static void
end_round(struct names *n)
{
	size_t i;

	for (i = 0; i < n->n_tasks; i++)
		if (n->tasks[i].lookup)
			lookup_cancel(n->tasks[i].lookup);
	/* A round that is cut short leaves what was known before it. */
	for (i = 0; n->busy && i < n->n_tasks; i++)
		if (n->tasks[i].outcome == UNANSWERED)
			*slot(&n->tasks[i]) = n->tasks[i].before;
	event_del(n->over);
	n->busy = false;
	n->under_way = 0;
}

static void
free_round(struct names *n)
{
	hosts_ref_put(n->hosts);
	free(n->tasks);
	free(n->ips);
	free(n->contexts);
}

int
names_start(struct names *n, struct hosts_ref *hosts)
{
	const struct hosts *h = &hosts->hosts;
	struct names old;
	size_t total = h->n_names + h->n_contexts;
	struct task *tasks = calloc(total + 1, sizeof(*tasks));
	struct addr *ips = calloc(h->n_names + 1, sizeof(*ips));
	struct addr *contexts = calloc(h->n_contexts + 1, sizeof(*contexts));

	if (!tasks || !ips || !contexts) {
		free(tasks);
		free(ips);
		free(contexts);
		return -ENOMEM;
	}
	end_round(n);
	old = *n;
	n->hosts = hosts_ref_get(hosts);
	n->tasks = tasks;
	n->ips = ips;
	n->contexts = contexts;
	n->n_tasks = n->next = 0;
	memset(n->answered, 0, sizeof(n->answered));
	memset(n->failed, 0, sizeof(n->failed));
	add_tasks(n, &old);
	free_round(&old);
	n->busy = true;
	begin_tasks(n);
	return 0;
}

/* --- life ----------------------------------------------------------------- */

struct names *
names_new(struct event_base *base, const struct names_config *cfg)
{
	const struct lookup_config lc = {
		.try_ms = cfg->try_ms,
		.rounds = ROUNDS,
		.max_in_flight = cfg->in_flight + SERVERS_SPARE,
	};
	struct names *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->cfg = *cfg;
	n->over = event_new(base, -1, 0, on_over, n);
	n->clients[LOCAL] = lookups_new(base, &lc);
	n->clients[CONTEXT] = lookups_new(base, &lc);
	if (n->over && n->clients[LOCAL] && n->clients[CONTEXT])
		return n;
	names_free(n);
	return NULL;
}

void
names_free(struct names *n)
{
	if (!n)
		return;
	if (n->over)
		end_round(n);
	free_round(n);
	lookups_free(n->clients[LOCAL]);
	lookups_free(n->clients[CONTEXT]);
	if (n->over)
		event_free(n->over);
	free(n);
}

void
names_set_servers(struct names *n, const struct endpoint *local, size_t n_local,
	const struct endpoint *context, size_t n_context)
{
	lookups_set_servers(n->clients[LOCAL], local, n_local);
	lookups_set_servers(n->clients[CONTEXT], context, n_context);
}

struct lookups *
names_context_client(struct names *n)
{
	return n->clients[CONTEXT];
}

bool
names_busy(const struct names *n)
{
	return n->busy;
}

const struct names_result *
names_result(const struct names *n)
{
	return &n->result;
}

const struct hosts *
names_hosts(const struct names *n)
{
	return n->hosts ? &n->hosts->hosts : NULL;
}
