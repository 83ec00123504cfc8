/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent's settings: rows for ipref.conf and options, and what is made of
 * their texts (sources, servers, the mapper's socket).
 */
#ifndef DNSAGENTD_SETTINGS_H
#define DNSAGENTD_SETTINGS_H

#include "libipref/common.h"
#include "libipref/dns/lookup.h"
#include "libipref/dns/name.h"

#define SOURCE_SERVERS_MAX 8
#define SOURCES_MAX	   256

struct agent_conf {
	struct common_conf common;
	struct conf_list sources;	   /* when there are no operands */
	struct conf_list resolver;	   /* for local names */
	struct conf_list context_resolver; /* for context names elsewhere */
	uint64_t ea_ipver, gw_ipver;	   /* 0: from the common settings */
	char *mapper;			   /* unix:///PATH, or NULL */
	uint64_t minutes, seconds;	   /* interval; seconds win unless 0 */
	uint64_t first_poll_ms;
	bool devmode;
};

/* A server of a public zone, by address or by name. */
struct server_conf {
	struct endpoint at; /* version 0: by name; port is set always */
	struct name host;   /* len 0: by address */
	char text[288];	    /* as given */
};

struct source_conf {
	struct source source;	   /* texts */
	struct name local, domain; /* the same as names */
	struct server_conf servers[SOURCE_SERVERS_MAX];
	size_t n_servers;
};

/* What conf_load() wants; tables is storage that spec then points to. */
void agent_conf_spec(struct conf_spec *spec, struct conf_table tables[2]);

/* "LOCAL:PUBLIC:SERVER[:PORT],SERVER[:PORT]...": NULL or the reason why not. */
const char *source_conf_parse(struct source_conf *s, const char *text);
/* The sources of operands, else of the setting; *out is malloc'd, the caller's.
 * -EINVAL: none, or two for the same domains: logged. */
int agent_sources(const struct conf *conf, const struct agent_conf *c,
	struct source_conf **out, size_t *n) MUSTCHECK;
/* Both IP versions; dialect 1. */
struct msg_format agent_format(const struct agent_conf *c);
const char *agent_mapper_path(const struct agent_conf *c);
uint64_t agent_interval_ms(const struct agent_conf *c);
/* The servers of a resolver setting, or those of /etc/resolv.conf; of the
 * local machine when that names none (resolv.conf(5)). Returns their number. */
size_t agent_resolvers(const struct conf_list *setting,
	struct endpoint servers[LOOKUP_SERVERS_MAX]);

/* Deployed agents have -debug as a switch, the common setting is a list: these
 * is argv with "-debug" as "-debug=all", without "-debug=false". *out is
 * malloc'd, the caller's, and points to argv's words. */
int agent_argv(int argc, char **argv, int *out_argc, char ***out) MUSTCHECK;

#endif
