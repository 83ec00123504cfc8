/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Zone files, line by line. Owner, TTL and class are read here; ldns reads the
 * type and its data, from a line with all of these in one fixed order, so that
 * its own guesses about them never matter.
 */
#include "resolverd/zonefile.h"

#include <errno.h>
#include <ldns/ldns.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "resolverd/zonetext.h"

#define TTL_NONE UINT32_MAX

struct load {
	const struct name *apex;
	struct zone_rec *recs; /* owned */
	size_t n, room;
	uint32_t ttl;	   /* $TTL, or TTL_NONE */
	uint32_t last_ttl; /* of the record before, or TTL_NONE */
	char **paths;	   /* owned; the records point to them */
	size_t n_paths;
	char *err;
	size_t err_size;
};

/* One file while it is read. */
struct input {
	struct load *load;
	struct zonetext text;
	const char *path;
	unsigned depth;
	struct name origin;
	struct name owner; /* of the record before; len 0: none yet */
};

static int load_file(struct load *l, const char *path, unsigned depth,
	const struct name *origin);

static int PRINTF_LIKE(2, 3) fail(struct input *in, const char *fmt, ...)
{
	struct load *l = in->load;
	va_list ap;
	int n;

	n = snprintf(l->err, l->err_size, "%s:%u: ", in->path, in->text.at);
	if (n > 0 && (size_t)n < l->err_size) {
		va_start(ap, fmt);
		(void)vsnprintf(l->err + n, l->err_size - (size_t)n, fmt, ap);
		va_end(ap);
	}
	return -EINVAL;
}

/* A name as written: absolute with a last dot (not an escaped one), else below
 * the origin; "@" is the origin. */
static bool
read_name(struct name *n, const char *text, const struct name *origin)
{
	size_t len = strlen(text), slashes = 0;

	if (!strcmp(text, "@")) {
		*n = *origin;
		return true;
	}
	if (!name_parse(n, text, len))
		return false;
	while (slashes + 1 < len && text[len - 2 - slashes] == '\\')
		slashes++;
	if (text[len - 1] == '.' && slashes % 2 == 0)
		return true;
	if (n->len - 1 + origin->len > NAME_WIRE_MAX)
		return false;
	memcpy(n->b + n->len - 1, origin->b, origin->len);
	n->len = (uint8_t)(n->len - 1 + origin->len);
	return true;
}

/* "3600", "1h30m" (as BIND has it); TTL_NONE: no TTL. */
static uint32_t
read_ttl(const char *s)
{
	static const char letters[] = "smhdw";
	static const uint32_t units[] = {1, 60, 3600, 86400, 604800};
	uint64_t sum = 0, n;
	const char *unit;
	int used;

	if (*s < '0' || *s > '9')
		return TTL_NONE;
	while (*s) {
		used = 0;
		if (sscanf(s, "%10" SCNu64 "%n", &n, &used) != 1 || *s < '0' ||
			*s > '9')
			return TTL_NONE;
		s += used;
		unit = *s ? strchr(letters, *s | 0x20) : NULL;
		if (*s && !unit)
			return TTL_NONE;
		sum += n * (unit ? units[unit - letters] : 1);
		if (sum > ZONE_TTL_MAX)
			return TTL_NONE;
		s += *s ? 1 : 0;
	}
	return (uint32_t)sum;
}

static bool
is_class(const char *word)
{
	static const char *const names[] = {"IN", "CH", "HS", "CS", "CLASS"};
	size_t i;

	for (i = 0; i < ARRAY_LEN(names) - 1; i++)
		if (!strcasecmp(word, names[i]))
			return true;
	return !strncasecmp(word, names[i], strlen(names[i]));
}

static bool
is_class_in(const char *word)
{
	return !strcasecmp(word, "IN") || !strcasecmp(word, "CLASS1");
}

/* Questions and hop-by-hop records are in no zone (RFC 6895, 3.1). */
static bool
type_in_zone(uint16_t type)
{
	return type && type != DNS_TYPE_OPT && (type < 128 || type > 255);
}

static int
add(struct input *in, const struct name *owner, uint32_t ttl, const ldns_rr *rr)
{
	struct load *l = in->load;
	ldns_buffer *b = ldns_buffer_new(512);
	struct zone_rec *rec, *more;
	int rc = -ENOMEM;

	if (l->n == ZONE_RECORDS_MAX) {
		rc = fail(in, "more than %d records", ZONE_RECORDS_MAX);
		goto out;
	}
	if (l->n == l->room) {
		l->room = l->room ? 2 * l->room : 64;
		more = reallocarray(l->recs, l->room, sizeof(*more));
		if (!more)
			goto out;
		l->recs = more;
	}
	if (!b || ldns_rr_rdata2buffer_wire(b, rr) != LDNS_STATUS_OK)
		goto out;
	if (ldns_buffer_position(b) > UINT16_MAX) {
		rc = fail(in, "data of more than 65535 bytes");
		goto out;
	}
	rec = &l->recs[l->n];
	*rec = (struct zone_rec){.owner = *owner,
		.type = (uint16_t)ldns_rr_get_type(rr),
		.ttl = ttl,
		.rdlen = (uint16_t)ldns_buffer_position(b),
		.file = in->path,
		.line = in->text.at};
	rec->rdata = malloc(rec->rdlen + 1u);
	if (!rec->rdata)
		goto out;
	memcpy(rec->rdata, ldns_buffer_begin(b), rec->rdlen);
	l->n++;
	rc = 0;
out:
	ldns_buffer_free(b);
	return rc;
}

/* The SOA's MINIMUM: its last 32 bits; TTL_NONE for another type. */
static uint32_t
soa_minimum(const ldns_rr *rr)
{
	if (ldns_rr_get_type(rr) != LDNS_RR_TYPE_SOA)
		return TTL_NONE;
	return ldns_rdf2native_int32(ldns_rr_rdf(rr, 6));
}

/* Type and data, in the text behind TTL and class. */
static int
read_rdata(struct input *in, const struct name *owner, uint32_t ttl,
	const char *type, const char *data)
{
	struct load *l = in->load;
	ldns_rdf *origin = NULL;
	ldns_rr *rr = NULL;
	ldns_status st;
	char *line = NULL;
	int rc = -ENOMEM;

	origin = ldns_rdf_new_frm_data(
		LDNS_RDF_TYPE_DNAME, in->origin.len, in->origin.b);
	if (!origin || asprintf(&line, ". 0 IN %s %s", type, data) < 0) {
		line = NULL;
		goto out;
	}
	st = ldns_rr_new_frm_str(&rr, line, 0, origin, NULL);
	if (st != LDNS_STATUS_OK) {
		rc = fail(in, "%s: %s", type, ldns_get_errorstr_by_id(st));
		goto out;
	}
	if (!type_in_zone((uint16_t)ldns_rr_get_type(rr))) {
		rc = fail(in, "%s records are in no zone", type);
		goto out;
	}
	if (ttl == TTL_NONE)
		ttl = l->ttl != TTL_NONE ? l->ttl : l->last_ttl;
	if (ttl == TTL_NONE)
		ttl = soa_minimum(rr);
	if (ttl == TTL_NONE) {
		rc = fail(in, "no TTL, and no $TTL or record with one before");
		goto out;
	}
	l->last_ttl = ttl;
	rc = add(in, owner, ttl, rr);
out:
	ldns_rr_free(rr);
	free(line);
	ldns_rdf_deep_free(origin);
	return rc;
}

/* [TTL] [CLASS] or [CLASS] [TTL], then type and data. */
static int
read_record(struct input *in, const struct name *owner, char *p)
{
	uint32_t ttl = TTL_NONE, t;
	bool class = false;
	char *word;

	while ((word = zonetext_word(&p))) {
		t = read_ttl(word);
		if (t != TTL_NONE && ttl == TTL_NONE) {
			ttl = t;
		} else if (!class && is_class(word)) {
			if (!is_class_in(word))
				return fail(in, "class %s, not IN", word);
			class = true;
		} else {
			break;
		}
	}
	if (!word)
		return fail(in, "no type");
	if (*word >= '0' && *word <= '9')
		return fail(in, "'%s' is neither TTL, class nor type", word);
	return read_rdata(in, owner, ttl, word, p);
}

static int
read_line(struct input *in, char *p)
{
	char *word;

	if (*p != ' ' && *p != '\t') {
		word = zonetext_word(&p);
		if (!read_name(&in->owner, word, &in->origin))
			return fail(in, "'%.200s' is not a domain name", word);
	} else if (!in->owner.len) {
		return fail(in, "no owner name, and none before");
	}
	return read_record(in, &in->owner, p);
}

static int
do_origin(struct input *in, char *p)
{
	char *word = zonetext_word(&p);
	struct name n;

	if (!word || !read_name(&n, word, &in->origin))
		return fail(in, "$ORIGIN without a domain name");
	in->origin = n;
	return zonetext_word(&p) ? fail(in, "text behind $ORIGIN") : 0;
}

static int
do_ttl(struct input *in, char *p)
{
	char *word = zonetext_word(&p);
	uint32_t ttl = word ? read_ttl(word) : TTL_NONE;

	if (ttl == TTL_NONE)
		return fail(in, "$TTL without a TTL");
	in->load->ttl = ttl;
	return zonetext_word(&p) ? fail(in, "text behind $TTL") : 0;
}

static int
do_include(struct input *in, char *p)
{
	char *file = zonetext_word(&p), *origin = zonetext_word(&p);
	const char *slash = strrchr(in->path, '/');
	struct name top = in->origin;
	char path[PATH_MAX];
	int n, dir = 0;

	if (!file)
		return fail(in, "$INCLUDE without a file");
	if (origin && !read_name(&top, origin, &in->origin))
		return fail(in, "'%.200s' is not a domain name", origin);
	if (in->depth == ZONEFILE_DEPTH)
		return fail(in, "$INCLUDE more than %d deep", ZONEFILE_DEPTH);
	if (in->load->n_paths == ZONEFILE_FILES)
		return fail(in, "more than %d files", ZONEFILE_FILES);
	n = (int)strlen(file);
	if (n > 1 && *file == '"' && file[n - 1] == '"') {
		file[n - 1] = '\0';
		file++;
	}
	if (*file != '/' && slash)
		dir = (int)(slash - in->path) + 1;
	n = snprintf(path, sizeof(path), "%.*s%s", dir, in->path, file);
	if (n < 0 || (size_t)n >= sizeof(path))
		return fail(in, "file name too long");
	return load_file(in->load, path, in->depth + 1, &top);
}

/* $GENERATE RANGE OWNER [TTL] [CLASS] TYPE DATA */
static int
do_generate(struct input *in, char *p)
{
	char *range = zonetext_word(&p), *owner = zonetext_word(&p);
	char left[NAME_TEXT_MAX], right[4096];
	struct generate g;
	struct name n;
	unsigned i;
	int rc;

	if (!owner || !generate_parse(&g, range))
		return fail(in, "$GENERATE wants START-STOP[/STEP] OWNER TYPE "
				"DATA");
	for (i = g.start; i <= g.stop; i += g.step) {
		if (!generate_expand(left, sizeof(left), owner, i) ||
			!generate_expand(right, sizeof(right), p, i) ||
			!read_name(&n, left, &in->origin))
			return fail(in, "$GENERATE: broken template");
		rc = read_record(in, &n, right);
		if (rc)
			return rc;
	}
	return 0;
}

static int
read_directive(struct input *in, char *p)
{
	static const struct {
		const char *name;
		int (*fn)(struct input *in, char *p);
	} directives[] = {
		{"$ORIGIN", do_origin},
		{"$TTL", do_ttl},
		{"$INCLUDE", do_include},
		{"$GENERATE", do_generate},
	};
	char *word = zonetext_word(&p);
	size_t i;

	for (i = 0; i < ARRAY_LEN(directives); i++)
		if (!strcasecmp(word, directives[i].name))
			return directives[i].fn(in, p);
	return fail(in, "unknown directive %.40s", word);
}

static int
read_input(struct input *in)
{
	const char *error = "";
	int rc = 0;

	while (!rc) {
		switch (zonetext_next(&in->text, &error)) {
		case ZONETEXT_LINE:
			rc = *in->text.buf == '$'
				     ? read_directive(in, in->text.buf)
				     : read_line(in, in->text.buf);
			break;
		case ZONETEXT_END:
			return 0;
		default:
			rc = fail(in, "%s", error);
		}
	}
	return rc;
}

/* A copy that lives as long as the load. */
static const char *
keep_path(struct load *l, const char *path)
{
	char **more = reallocarray(l->paths, l->n_paths + 1, sizeof(*more));

	if (!more)
		return NULL;
	l->paths = more;
	more[l->n_paths] = strdup(path);
	return more[l->n_paths] ? more[l->n_paths++] : NULL;
}

static int
load_file(struct load *l, const char *path, unsigned depth,
	const struct name *origin)
{
	struct input in = {.load = l, .depth = depth, .origin = *origin};
	FILE *f;
	int rc;

	in.path = keep_path(l, path);
	if (!in.path)
		return -ENOMEM;
	f = fopen(path, "re");
	if (!f) {
		rc = -errno;
		snprintf(l->err, l->err_size, "%s: %s", path, strerror(errno));
		return rc;
	}
	rc = zonetext_init(&in.text, f) ? read_input(&in) : -ENOMEM;
	zonetext_fini(&in.text);
	fclose(f);
	return rc;
}

int
zonefile_load(struct zone **out, const struct name *apex, const char *path,
	char *err, size_t size)
{
	struct load l = {.apex = apex,
		.ttl = TTL_NONE,
		.last_ttl = TTL_NONE,
		.err = err,
		.err_size = size};
	char why[1536];
	int rc;

	*out = NULL;
	snprintf(err, size, "%s: out of memory", path);
	rc = load_file(&l, path, 0, apex);
	if (rc) {
		zone_recs_fini(l.recs, l.n);
	} else {
		rc = zone_new_take(out, apex, l.recs, l.n, why, sizeof(why));
		/* What is about a record begins with its file. */
		if (rc)
			snprintf(err, size, "%s%s%s",
				strchr(why, ':') ? "" : path,
				strchr(why, ':') ? "" : ": ", why);
	}
	free(l.recs);
	while (l.n_paths)
		free(l.paths[--l.n_paths]);
	free(l.paths);
	return rc;
}
