/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resolverd: the DNS server of the local network, which turns published IPREF
 * addresses into addresses of the encoding network. Its parts in the order in
 * which they start; listening comes last, when all can be answered.
 */
#include <errno.h>
#include <event2/event.h>
#include <sys/resource.h>

#include "libipref/ctl.h"
#include "libipref/daemon.h"
#include "libipref/log.h"
#include "resolverd/resolver.h"
#include "resolverd/status.h"

#define UPSTREAM_MS 4000 /* leaves time for the mapper within QUERY_MS */

/* A descriptor per TCP client and per upstream connection. */
static void
raise_descriptors(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim))
		return;
	lim.rlim_cur = lim.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &lim))
		log_warn_errno(errno, "descriptors: their limit stays");
}

static int
start_policy(struct daemon *d)
{
	static const struct timeval timeout = {.tv_sec = QUERY_MS / 1000};
	struct resolver *r = d->state;
	int rc;

	raise_descriptors();
	r->base = d->base;
	r->conf = d->settings;
	r->fmt = settings_format(r->conf);
	TAILQ_INIT(&r->queries);
	TAILQ_INIT(&r->transfers);
	r->query_timeout = event_base_init_common_timeout(d->base, &timeout);
	if (!r->query_timeout)
		return -ENOMEM;
	rc = policy_make(&r->policy, r->conf);
	if (!rc)
		rc = zones_load(&r->zones, &r->conf->zone);
	if (rc)
		policy_fini(&r->policy);
	if (!r->conf->upstream.n)
		log_notice("upstream: none given: only local zones and reverse "
			   "names are answered");
	return rc;
}

static void
stop_policy(struct daemon *d)
{
	struct resolver *r = d->state;

	zones_fini(&r->zones);
	policy_fini(&r->policy);
}

static int
start_upstream(struct daemon *d)
{
	struct resolver *r = d->state;
	struct endpoint_list servers;
	struct upstream_config cfg = {.servers = &servers,
		/* A translation asks for several names at once. */
		.max_flights = 2 * r->conf->max_queries,
		.total_ms = UPSTREAM_MS};
	char err[256];

	if (endpoint_list_parse(
		    &servers, &r->conf->upstream, DNS_PORT, err, sizeof(err))) {
		log_err("upstream: %s", err);
		return -EINVAL;
	}
	r->up = upstream_new(d->base, &cfg);
	endpoint_list_fini(&servers);
	return r->up ? 0 : -ENOMEM;
}

static void
stop_upstream(struct daemon *d)
{
	struct resolver *r = d->state;

	upstream_free(r->up);
}

static int
start_mapper(struct daemon *d)
{
	struct resolver *r = d->state;
	struct mclient_config cfg = {.path = r->conf->common.mapper_socket,
		.fmt = r->fmt,
		.max_requests = 32768,
		.max_sent = r->conf->mapper_pipeline};

	r->mapper = mclient_new(d->base, &cfg);
	return r->mapper ? 0 : -ENOMEM;
}

static void
stop_mapper(struct daemon *d)
{
	struct resolver *r = d->state;

	mclient_free(r->mapper);
}

static int
start_listen(struct daemon *d)
{
	struct resolver *r = d->state;
	struct endpoint_list at;
	struct listen_config cfg = {.at = &at,
		.tcp_max = r->conf->tcp_clients,
		.idle_ms = r->conf->tcp_idle * 1000,
		.handler = resolver_handle,
		.arg = r};
	char err[256];
	int rc;

	if (endpoint_list_parse(
		    &at, &r->conf->listen, DNS_PORT, err, sizeof(err))) {
		log_err("listen: %s", err);
		return -EINVAL;
	}
	rc = listen_new(&r->listen, d->base, &cfg);
	endpoint_list_fini(&at);
	if (!rc)
		status_add(d->ctl, r);
	return rc;
}

/* Queries hold something of every part, so they end with the first to stop. */
static void
stop_listen(struct daemon *d)
{
	struct resolver *r = d->state;

	resolver_drop_all(r);
	listen_free(r->listen);
}

static void
reload(struct daemon *d)
{
	struct resolver *r = d->state;
	struct policy p;
	size_t failed;

	if (policy_make(&p, r->conf)) {
		log_err("reload: no memory, all stays as it was");
		return;
	}
	policy_fini(&r->policy);
	r->policy = p;
	failed = zones_reload(&r->zones, &r->conf->zone);
	log_info("reloaded: %zu zones, %zu of them not", r->zones.n, failed);
}

int
main(int argc, char **argv)
{
	static const struct daemon_part parts[] = {
		{"zones", start_policy, stop_policy},
		{"upstream", start_upstream, stop_upstream},
		{"mapper", start_mapper, stop_mapper},
		{"listen", start_listen, stop_listen},
	};
	const struct conf_table tables[] = {common_table, settings_table};
	struct resolver_conf settings;
	struct resolver state = {0};
	const struct conf_spec conf = {.program = "resolverd",
		.summary = "DNS server that answers IPREF addresses",
		.tables = tables,
		.n_tables = ARRAY_LEN(tables),
		.size = sizeof(settings),
		.check = settings_check,
		.default_file = IPREF_SYSCONFDIR "/ipref/ipref.conf"};
	const struct daemon_spec spec = {.conf = &conf,
		.settings = &settings,
		.state = &state,
		.parts = parts,
		.n_parts = ARRAY_LEN(parts),
		.reload = reload};

	return daemon_main(&spec, argc, argv);
}
