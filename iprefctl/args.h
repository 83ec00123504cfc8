/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The arguments behind a command: options, in any place, and operands; queries
 * made of them; what lookup is asked for. Pure. */
#ifndef IPREFCTL_ARGS_H
#define IPREFCTL_ARGS_H

#include "libipref/addr.h"
#include "libipref/base.h"
#include "libipref/ref.h"

#define ARGS_OPTIONS_MAX 8
#define ARGS_ERROR_MAX	 256
#define ARGS_TARGET_MAX	 4096

struct args_option {
	const char *name; /* without dashes */
	const char *arg;  /* what its value is called; NULL: a switch */
	const char *key;  /* in a query of mapperd's; NULL: of none */
};

struct args {
	const char *values[ARGS_OPTIONS_MAX]; /* NULL: not given; "1": switch */
	size_t n;
	char **operands; /* in argv's memory */
};

/* Sorts argv (n words behind the command), which is moved about. One dash or
 * two, -name VALUE or -name=VALUE; "--" ends the options; a single "-" is an
 * operand. False: error says what is wrong. */
bool args_parse(struct args *a, const struct args_option *options,
	size_t n_options, size_t n, char **argv,
	char error[ARGS_ERROR_MAX]) MUSTCHECK;

/* Appends KEY=VALUE, encoded, behind '?' or '&'. False: too long. */
bool args_query(char target[ARGS_TARGET_MAX], const char *key,
	const char *value) MUSTCHECK;
/* page and what was given of the options that have a key. */
bool args_target(char target[ARGS_TARGET_MAX], const char *page,
	const struct args *a, const struct args_option *options,
	size_t n_options) MUSTCHECK;

/* Whom a command is asked about. */
enum who_kind {
	WHO_ADDRESS,
	WHO_NET,   /* a prefix */
	WHO_IPREF, /* GW+REF */
	WHO_NAME,
};
#define WHO_TEXT_MAX 1024
struct who {
	enum who_kind kind;
	char text[WHO_TEXT_MAX]; /* the words with a space between them */
	char what[WHO_TEXT_MAX]; /* without space; of WHO_IPREF the context */
	char ref[WHO_TEXT_MAX];	 /* WHO_IPREF */
};

/* ADDRESS, ADDRESS/LEN, GW+REF (also as several words), or a NAME. False:
 * error. */
bool args_who(struct who *w, size_t n, char **words,
	char error[ARGS_ERROR_MAX]) MUSTCHECK;
/* The same as mapperd's page of mappings has it; a prefix is an error. */
bool args_lookup(char target[ARGS_TARGET_MAX], size_t n, char **words,
	char error[ARGS_ERROR_MAX]) MUSTCHECK;

#endif
