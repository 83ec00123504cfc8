/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Settings: one row per setting gives its entry in ipref.conf, its command-line
 * option, type, range, default, whether it can be reloaded, and its help text.
 *
 * A daemon has one plain struct with its settings and tables of rows that point
 * into it; conf_load() fills it: defaults, then the file, then the options.
 * The file (libconfig) has a section per daemon and one called `common`; a
 * daemon is strict about its own and the common one and does not look into the
 * others. Options are taken as -name VALUE, --name VALUE, -name=VALUE,
 * --name=VALUE; switches also as -name and -name=true|false. Every error names
 * the place (file and line, or the option) and the reason.
 */
#ifndef LIBIPREF_CONF_H
#define LIBIPREF_CONF_H

#include <stdio.h>

#include "libipref/addr.h"
#include "libipref/base.h"
#include "libipref/ref.h"

/* The field's C type stands behind each. */
enum conf_type {
	CONF_BOOL,     /* bool */
	CONF_UINT,     /* uint64_t, within min and max */
	CONF_STRING,   /* char *, owned; NULL when there is no default */
	CONF_ADDR,     /* struct addr; version 0 when not set */
	CONF_ENDPOINT, /* struct endpoint; version 0 when not set */
	CONF_PREFIX,   /* struct prefix; version 0 when not set */
	CONF_REF,      /* struct ref */
	CONF_LIST,     /* struct conf_list: in the file a string or an array of
			* strings; as an option repeated or comma-separated */
	CONF_NOTHING,  /* no field: taken because deployed programs have it,
			* said once in the log. With arg NULL a switch. */
};

struct conf_list {
	char **v; /* owned */
	size_t n;
};

enum {
	CONF_RELOAD = 1,      /* SIGHUP may change it */
	CONF_OPTION_ONLY = 2, /* not in the file */
	CONF_CLAMP = 4,	   /* UINT: out of range becomes the nearest (deployed
			    * programs do so), said in the log */
	CONF_NO_COMMA = 8, /* LIST: an option's value is one item */
	CONF_LENIENT = 16, /* UINT: an option's value that is no number or out
			    * of range gives the default (deployed programs do
			    * so), said in the log; the file stays strict */
};

struct conf_row {
	const char *name; /* "gateway-port": in the file and as an option */
	enum conf_type type;
	size_t off;	   /* offsetof() the field in the struct */
	uint64_t min, max; /* UINT; max of 0: no bound */
	const char *def;   /* default as text, parsed like a value; NULL:
			    * zero, empty */
	unsigned flags;	   /* CONF_* */
	const char *arg;   /* what --help calls the value: "ADDRESS" */
	const char *help;  /* one sentence, lower case, no full stop */
	/* A check of this value beyond its type: NULL, or the reason why it is
	 * refused (static text). field points to the parsed field (STRING: a
	 * char **). Defaults pass it too. */
	const char *(*check)(const void *field);
};

/* Rows of one section of the file. Several may be given for one section. A
 * name stands once in all tables of a daemon. What may be in `common` may be in
 * the daemon's own section too, and wins there. */
struct conf_table {
	const char *section; /* "common", "gwd" */
	const struct conf_row *rows;
	size_t n;
};

struct conf_spec {
	const char *program; /* for usage and errors */
	const char *summary; /* one line for --help */
	const char
		*operands; /* "LOCAL:PUBLIC:SERVER...", or NULL: none taken */
	/* Prints more for --help, between usage and options; or NULL. */
	void (*more_help)(FILE *out);
	/* A check of each operand: NULL, or the reason why it is refused
	 * (static text). May be NULL. */
	const char *(*check_operand)(const char *text);
	const struct conf_table *tables;
	size_t n_tables;
	size_t size; /* of the settings struct */
	/* All values together: NULL or the reason; for contradictions. One that
	 * begins with a setting's name is said with its place. May fill
	 * fields from others (of its own struct, which is not const then), must
	 * not allocate, and gives the same when called again: a reload checks
	 * the values that it has merged once more. */
	const char *(*check)(const void *settings);
	const char *default_file; /* "/etc/ipref/ipref.conf"; may be absent
				   * unless --config names it */
};

enum conf_action {
	CONF_RUN,
	CONF_EXIT_OK,  /* --help, --version, --check-config: printed, exit 0 */
	CONF_EXIT_BAD, /* said on stderr (several lines maybe): exit 2 */
};

struct conf {
	const struct conf_spec *spec;
	void *settings; /* the caller's struct, filled */
	int argc;	/* of main; borrowed, for reloading */
	char **argv;
	char **operands; /* behind the options; borrowed from argv */
	size_t n_operands;
	char *file;		     /* read, or NULL; owned */
	struct conf_origin *origins; /* private: where each value came from */
	struct conf_list notes;	     /* private: for conf_say_notes() */
};

/* Built in besides the rows: --config FILE, --check-config, --help, --version,
 * and --help-mdoc, from which the manual page is made.
 * settings is of spec->size bytes, zeroed by this call. Errors go to stderr
 * (logging is not set up yet). */
enum conf_action conf_load(struct conf *c, const struct conf_spec *spec,
	void *settings, int argc, char **argv) MUSTCHECK;
/* Says in the log what was taken and means nothing, or was moved into its
 * range; after log_init(). */
void conf_say_notes(const struct conf *c);
/* Reads file and options again: 0 and the reloadable fields are changed as one
 * (changes of others are said in the log and not taken); -EINVAL: everything
 * stays as it was, the reason is in the log. Strings and lists that did not
 * change keep their addresses. */
int conf_reload(struct conf *c) MUSTCHECK;
/* Frees what the settings own. */
void conf_fini(struct conf *c);
/* Whether the option or file entry was given (not the default). */
bool conf_given(const struct conf *c, const char *name);
/* "/etc/ipref/ipref.conf:12", "option -t", "default": for errors that a daemon
 * finds later. Valid until the next reload. */
const char *conf_origin(const struct conf *c, const char *name);

#endif
