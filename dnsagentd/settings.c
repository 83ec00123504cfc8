/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One row per setting; lists are parsed here at start only to refuse bad ones,
 * and again by those who use them. */
#include "dnsagentd/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libipref/dns/message.h"
#include "libipref/log.h"

#define RESOLV_CONF   "/etc/resolv.conf"
#define MAPPER_SCHEME "unix://"

/* --- texts ---------------------------------------------------------------- */

/* ":PORT" at the end of the text: *len is what stands before it. */
static bool
split_port(const char *text, size_t *len, uint16_t *port)
{
	const char *colon = memrchr(text, ':', *len);
	size_t i, n;
	unsigned v = 0;

	*port = DNS_PORT;
	if (!colon)
		return true;
	n = (size_t)(text + *len - colon - 1);
	if (!n || n > 5)
		return false;
	for (i = 1; i <= n; i++) {
		if (colon[i] < '0' || colon[i] > '9')
			return false;
		v = v * 10 + (unsigned)(colon[i] - '0');
	}
	*len = (size_t)(colon - text);
	*port = (uint16_t)v;
	return v > 0 && v <= UINT16_MAX;
}

static const char *
server_parse(struct server_conf *s, const char *text, size_t len)
{
	uint16_t port;

	if (!len || len >= sizeof(s->text))
		return "a server is empty or too long";
	memset(s, 0, sizeof(*s));
	memcpy(s->text, text, len);
	if (endpoint_parse(&s->at, text, len)) {
		if (!s->at.port)
			s->at.port = DNS_PORT;
		return NULL;
	}
	s->at = (struct endpoint){0};
	if (text[0] == '[' || !split_port(text, &len, &port))
		return "a server is no ADDRESS[:PORT] (IPv6: [ADDRESS]:PORT)";
	/* Only digits and dots: an address that is none, not a name. */
	if (strspn(text, "0123456789.") >= len ||
		!name_parse(&s->host, text, len))
		return "a server is neither an address nor a name";
	s->at.port = port;
	return NULL;
}

static const char *
servers_parse(struct source_conf *s, const char *text)
{
	const char *end, *why;

	for (;; text = end + 1) {
		end = strchrnul(text, ',');
		if (s->n_servers == SOURCE_SERVERS_MAX)
			return "more than 8 servers";
		why = server_parse(&s->servers[s->n_servers++], text,
			(size_t)(end - text));
		if (why || !*end)
			return why;
	}
}

const char *
source_conf_parse(struct source_conf *s, const char *text)
{
	const char *second = strchr(text, ':');

	memset(s, 0, sizeof(*s));
	second = second ? strchr(second + 1, ':') : NULL;
	if (!second)
		return "is not LOCAL:PUBLIC:SERVER[:PORT],...";
	if (!source_parse(&s->source, text, (size_t)(second - text)) ||
		!name_parse(
			&s->local, s->source.local, strlen(s->source.local)) ||
		!name_parse(
			&s->domain, s->source.domain, strlen(s->source.domain)))
		return "LOCAL or PUBLIC is no domain name";
	return servers_parse(s, second + 1);
}

/* --- checks --------------------------------------------------------------- */

static const char *
check_ipver(const void *field)
{
	uint64_t v;

	memcpy(&v, field, sizeof(v));
	return !v || v == 4 || v == 6 ? NULL : "is neither 4 nor 6";
}

static const char *
check_source(const char *text)
{
	struct source_conf s;

	return source_conf_parse(&s, text);
}

static const char *
check_sources(const void *field)
{
	const struct conf_list *list = field;
	const char *why = NULL;
	size_t i;

	for (i = 0; i < list->n && !why; i++)
		why = check_source(list->v[i]);
	return why;
}

static const char *
check_servers(const void *field)
{
	const struct conf_list *list = field;
	struct endpoint e;
	size_t i;

	if (list->n > LOOKUP_SERVERS_MAX)
		return "more than 8 servers";
	for (i = 0; i < list->n; i++)
		if (!endpoint_parse(&e, list->v[i], strlen(list->v[i])))
			return "is no ADDRESS[:PORT] (IPv6: [ADDRESS]:PORT)";
	return NULL;
}

static const char *
check_mapper(const void *field)
{
	const char *text;

	memcpy(&text, field, sizeof(text));
	if (!text || !strncmp(text, MAPPER_SCHEME "/", 8))
		return NULL;
	return "does not begin with unix:///";
}

/* --- rows ----------------------------------------------------------------- */

#define OFF(f) offsetof(struct agent_conf, f)

static const struct conf_row rows[] = {
	{"sources", CONF_LIST, OFF(sources), .flags = CONF_NO_COMMA,
		.arg = "LOCAL:PUBLIC:SERVER[:PORT],...",
		.help = "a source, any number of them: domain of the real "
			"addresses, of the AA records, servers of that; "
			"operands take their place",
		.check = check_sources},
	{"resolver", CONF_LIST, OFF(resolver), .flags = CONF_RELOAD,
		.arg = "ADDRESS[:PORT]",
		.help = "server for the local names, those of " RESOLV_CONF
			" by default",
		.check = check_servers},
	{"context-resolver", CONF_LIST, OFF(context_resolver),
		.flags = CONF_RELOAD, .arg = "ADDRESS[:PORT]",
		.help = "server for context names outside the public domain, "
			"those of " RESOLV_CONF " by default; it must not be "
			"one that translates",
		.check = check_servers},
	{"ea-ipver", CONF_UINT, OFF(ea_ipver), 0, 6, .arg = "4|6",
		.help = "IP version of the local network; that of encode-net "
			"unless given",
		.check = check_ipver},
	{"gw-ipver", CONF_UINT, OFF(gw_ipver), 0, 6, .arg = "4|6",
		.help = "IP version of the tunnel; that of the gateway's "
			"address unless given",
		.check = check_ipver},
	{"m", CONF_STRING, OFF(mapper), .flags = CONF_OPTION_ONLY,
		.arg = "unix:///PATH",
		.help = "socket of the mapper, mapper-socket unless given",
		.check = check_mapper},
	{"t", CONF_UINT, OFF(minutes), 1, 10080, .def = "59",
		.flags = CONF_OPTION_ONLY | CONF_CLAMP | CONF_RELOAD,
		.arg = "MINUTES", .help = "interval between polls"},
	{"interval-seconds", CONF_UINT, OFF(seconds), 0, 604800,
		.flags = CONF_RELOAD, .arg = "SECONDS",
		.help = "the same in seconds; 0 for what -t says"},
	{"first-poll", CONF_UINT, OFF(first_poll_ms), 0, 600000, .def = "1000",
		.arg = "MILLISECONDS",
		.help = "time from the start to the first poll"},
	{"devmode", CONF_BOOL, OFF(devmode), .flags = CONF_OPTION_ONLY,
		.help = "print the sets, don't tell any mapper"},
};

static const char *
check_all(const void *settings)
{
	/* Defaults are filled in: common_check() is about that too. */
	struct agent_conf *c = (struct agent_conf *)(uintptr_t)settings;

	return common_check(&c->common, false);
}

void
agent_conf_spec(struct conf_spec *spec, struct conf_table tables[2])
{
	tables[0] = (struct conf_table){"dnsagentd", rows, ARRAY_LEN(rows)};
	tables[1] = common_table;
	*spec = (struct conf_spec){
		.program = "dnsagentd",
		.summary = "tells the mapper which of our hosts DNS publishes",
		.operands = "[LOCAL:PUBLIC:SERVER[:PORT],...]...",
		.check_operand = check_source,
		.tables = tables,
		.n_tables = 2,
		.size = sizeof(struct agent_conf),
		.check = check_all,
		.default_file = IPREF_SYSCONFDIR "/ipref/ipref.conf",
	};
}

/* --- what is made of them ------------------------------------------------- */

static bool
is_repeated(const struct source_conf *v, size_t i)
{
	size_t k;

	for (k = 0; k < i; k++)
		if (source_eq(&v[k].source, &v[i].source))
			return true;
	return false;
}

int
agent_sources(const struct conf *conf, const struct agent_conf *c,
	struct source_conf **out, size_t *n)
{
	char *const *texts = conf->n_operands ? conf->operands : c->sources.v;
	size_t count = conf->n_operands ? conf->n_operands : c->sources.n, i;
	const char *why;

	*out = NULL;
	*n = 0;
	if (!count || count > SOURCES_MAX) {
		log_err("sources: %s", count ? "more than 256"
					     : "none is given: nothing to do");
		return -EINVAL;
	}
	*out = calloc(count, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	for (i = 0; i < count; i++) {
		why = source_conf_parse(&(*out)[i], texts[i]);
		if (!why && is_repeated(*out, i))
			why = "another source has the same domains";
		if (why) {
			log_err("source \"%.200s\": %s", texts[i], why);
			free(*out);
			*out = NULL;
			return -EINVAL;
		}
	}
	*n = count;
	return 0;
}

struct msg_format
agent_format(const struct agent_conf *c)
{
	struct msg_format fmt = common_format(&c->common);

	if (c->ea_ipver)
		fmt.local_ver = (uint8_t)c->ea_ipver;
	if (c->gw_ipver)
		fmt.tunnel_ver = (uint8_t)c->gw_ipver;
	return fmt;
}

const char *
agent_mapper_path(const struct agent_conf *c)
{
	return c->mapper ? c->mapper + strlen(MAPPER_SCHEME)
			 : c->common.mapper_socket;
}

uint64_t
agent_interval_ms(const struct agent_conf *c)
{
	return c->seconds ? c->seconds * 1000 : c->minutes * 60000;
}

size_t
agent_resolvers(const struct conf_list *setting,
	struct endpoint servers[LOOKUP_SERVERS_MAX])
{
	size_t i, n = 0;
	int err;

	for (i = 0; i < setting->n && n < LOOKUP_SERVERS_MAX; i++)
		if (endpoint_parse(
			    &servers[n], setting->v[i], strlen(setting->v[i])))
			n++;
	if (setting->n)
		return n;
	err = resolv_conf_read(RESOLV_CONF, servers, LOOKUP_SERVERS_MAX, &n);
	if (err)
		log_warn_errno(-err, RESOLV_CONF);
	if (!n) {
		servers[0] = (struct endpoint){.port = DNS_PORT};
		if (addr_parse(&servers[0].addr, "127.0.0.1", 9))
			n = 1;
	}
	return n;
}

int
agent_argv(int argc, char **argv, int *out_argc, char ***out)
{
	static char all[] = "-debug=all";
	char **v = calloc((size_t)argc + 1, sizeof(*v));
	int i, n = 0;

	if (!v)
		return -ENOMEM;
	for (i = 0; i < argc; i++) {
		const char *word = argv[i] + (argv[i][0] == '-');

		if (!strcmp(argv[i], "-debug") || !strcmp(argv[i], "--debug"))
			v[n++] = all;
		else if (argv[i][0] != '-' ||
			 (strcmp(word, "debug=false") != 0 &&
				 strcmp(word, "-debug=false") != 0))
			v[n++] = argv[i];
	}
	*out_argc = n;
	*out = v;
	return 0;
}
