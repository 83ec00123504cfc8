/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of conf share with each other, and with nobody else.
 *
 * A "reading" is one pass over defaults, file and options into one settings
 * struct. It collects errors instead of stopping at the first, so that an
 * operator sees them together; conf.c prints or logs them.
 */
#ifndef LIBIPREF_CONF_IMPL_H
#define LIBIPREF_CONF_IMPL_H

#include "libipref/conf.h"

#define CONF_FILE_MAX	(1 << 20) /* bytes of a file */
#define CONF_LIST_MAX	4096	  /* items of a LIST */
#define CONF_ERRORS_MAX 20	  /* said at once */
#define CONF_REASON_MAX 320	  /* with NUL */

enum conf_place {
	CONF_FROM_DEFAULT,
	CONF_FROM_FILE,
	CONF_FROM_OPTION,
};

/* One per row, in the order of the tables; the last one has no row. */
struct conf_origin {
	const struct conf_table *table;
	const struct conf_row *row;
	enum conf_place place;
	char *text; /* "FILE:LINE", "option -t"; NULL: the default; owned */
};

struct conf_reading {
	const struct conf_spec *spec;
	void *settings;		     /* being filled */
	struct conf_origin *origins; /* owned */
	struct conf_list errors;     /* "PLACE: REASON"; owned */
	struct conf_list notes;	     /* for the log; owned */
	bool failed;		     /* an error was found, said or not */
	const char *file;	     /* --config's, or the default; borrowed */
	bool file_named;	     /* by --config: has to exist */
	bool file_read;
	bool check_only; /* --check-config */
	char **operands; /* borrowed from argv */
	size_t n_operands;
};

/* conf.c */
void conf_error(struct conf_reading *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
void conf_note(struct conf_reading *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The row of this name; section NULL: of any. NULL when there is none. */
struct conf_origin *conf_find(struct conf_origin *origins, const char *section,
	const char *name, size_t len);
/* "; did you mean X?" for the known name nearest to this one, else "". With a
 * section its rows and those of `common` are known, with NULL all options. */
#define CONF_HINT_MAX 96
const char *conf_hint(const struct conf_origin *origins, const char *section,
	const char *name, size_t len, char buf[CONF_HINT_MAX]);

/* Text of one value. */
struct conf_words {
	const char *const *v; /* LIST: its items; else one */
	size_t n;
	bool split;	     /* LIST: commas separate items */
	const char *subject; /* begins errors: "FILE:LINE: gwd.data" */
};

/* conf_value.c: text into fields */

/* Sets the field of the origin's row from words and remembers the place with
 * its text. Options for a LIST add to what earlier options gave. A value that
 * is refused becomes an error that begins with the place. */
void conf_value_set(struct conf_reading *r, struct conf_origin *o,
	const struct conf_words *words, enum conf_place place,
	const char *place_text);
/* Sets the row's default; bug() when it is refused. */
void conf_value_default(struct conf_reading *r, const struct conf_origin *o);
void conf_value_fini(const struct conf_row *row, void *settings);
bool conf_value_eq(const struct conf_row *row, const void *a, const void *b);
/* Copies the row's field as it is, strings not duplicated, over one that owns
 * nothing; from NULL: forgets it. */
void conf_value_lend(const struct conf_row *row, const void *from, void *to);
void conf_list_fini(struct conf_list *list);
/* Appends a copy of len bytes: false when memory or CONF_LIST_MAX is short. */
bool conf_list_add(
	struct conf_list *list, const char *text, size_t len) MUSTCHECK;

/* conf_option.c: argv */

enum conf_option_action {
	CONF_OPTIONS_READ, /* errors are in the reading */
	CONF_OPTIONS_HELP,
	CONF_OPTIONS_MDOC,
	CONF_OPTIONS_VERSION,
};
/* First pass: the built-in options, the operands and every error of form. */
enum conf_option_action conf_option_scan(
	struct conf_reading *r, int argc, char **argv) MUSTCHECK;
/* Second pass: the values, over those of the file. */
void conf_option_apply(struct conf_reading *r, int argc, char **argv);

/* conf_file.c: libconfig */

/* Reads r->file; one that is absent is an error only when it was named. */
void conf_file_read(struct conf_reading *r);
/* The same for text that was read from r->file; len bytes. */
void conf_file_text(struct conf_reading *r, const char *text, size_t len);

/* conf_lex.c: the text of a file without NUL bytes, as libconfig reads it
 * right, the caller's; NULL after an error, which is in the reading. */
char *conf_lex(struct conf_reading *r, const char *text, size_t len) MUSTCHECK;

/* conf_help.c */
void conf_help_print(const struct conf_spec *spec);
/* The options as a list in mdoc(7), for the manual page (--help-mdoc). */
void conf_help_mdoc(const struct conf_spec *spec);

#endif
