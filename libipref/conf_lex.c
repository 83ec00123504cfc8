/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The settings file's text, made ready for libconfig.
 *
 * libconfig cuts a number that is wider than int, silently, unless an L follows
 * it. So long numbers get one here, and those that not even 64 bits hold are
 * errors. @include is refused: numbers in another file would escape this, and
 * errors would be said with places in a file that nobody named. Lines stay what
 * they are.
 */
#include <stdlib.h>
#include <string.h>

#include "libipref/conf_impl.h"

#define INT_DIGITS	9  /* decimal, that int holds whatever they are */
#define INT_HEX_DIGITS	8  /* likewise, as unsigned */
#define LONG_DIGITS	18 /* and int64_t */
#define LONG_HEX_DIGITS 15

struct lexer {
	const char *p, *end; /* what is left of the text */
	unsigned line;
	char *out; /* where to write; always room for twice the rest */
	bool bad;  /* an error was said */
};

/* Copies len bytes. */
static void
copy(struct lexer *l, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		l->line += l->p[i] == '\n';
	memcpy(l->out, l->p, len);
	l->out += len;
	l->p += len;
}

static size_t
left(const struct lexer *l)
{
	return (size_t)(l->end - l->p);
}

/* Length up to and with the string end, or of all that is left. */
static size_t
length_to(const struct lexer *l, const char *end)
{
	const char *found = memmem(l->p, left(l), end, strlen(end));

	return found ? (size_t)(found - l->p) + strlen(end) : left(l);
}

/* Length of a string in quotes, the cursor being at the first. */
static size_t
quoted_length(const struct lexer *l)
{
	size_t i;

	for (i = 1; i < left(l); i++)
		if (l->p[i] == '\\')
			i++;
		else if (l->p[i] == '"')
			return i + 1;
	return left(l);
}

/* Length of what is no code: comments and strings; 0 when here is none. */
static size_t
skipped_length(const struct lexer *l)
{
	if (*l->p == '"')
		return quoted_length(l);
	if (*l->p == '#')
		return length_to(l, "\n");
	if (left(l) < 2 || *l->p != '/')
		return 0;
	if (l->p[1] == '/')
		return length_to(l, "\n");
	return l->p[1] == '*' ? length_to(l, "*/") : 0;
}

static size_t
span(const struct lexer *l, const char *of)
{
	size_t n = 0;

	while (n < left(l) && l->p[n] && strchr(of, l->p[n]))
		n++;
	return n;
}

#define DIGITS	"0123456789"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/* A word that begins with a digit. */
static void
copy_number(struct conf_reading *r, struct lexer *l)
{
	size_t len = span(l, DIGITS LETTERS ".");
	bool hex = len > 2 && l->p[0] == '0' && (l->p[1] | 0x20) == 'x';
	size_t prefix = hex ? 2 : 0;
	size_t zeros, digits;
	struct lexer rest = *l;

	rest.p += prefix;
	zeros = span(&rest, "0");
	rest.p += zeros;
	digits = span(&rest, hex ? DIGITS "abcdefABCDEF" : DIGITS);
	rest.p += digits;
	if (digits > (hex ? LONG_HEX_DIGITS : LONG_DIGITS)) {
		conf_error(r, "%s:%u: a number is too long", r->file, l->line);
		l->bad = true;
	}
	copy(l, len);
	if (prefix + zeros + digits == len &&
		digits > (hex ? INT_HEX_DIGITS : INT_DIGITS))
		*l->out++ = 'L';
}

/* A word, or one character that is neither word, string nor comment. */
static void
copy_word(struct conf_reading *r, struct lexer *l)
{
	/* A minus inside a name belongs to it, one before a number does not. */
	size_t len = *l->p == '-' ? 1 : span(l, LETTERS DIGITS "-_*");

	if (*l->p == '@') {
		conf_error(
			r, "%s:%u: @include can't be used", r->file, l->line);
		l->bad = true;
	}
	copy(l, len ? len : 1);
}

char *
conf_lex(struct conf_reading *r, const char *text, size_t len)
{
	char *out = malloc(2 * len + 1);
	struct lexer l = {text, text + len, 1, out, false};
	size_t n;

	if (!out) {
		conf_error(r, "%s: out of memory", r->file);
		return NULL;
	}
	while (left(&l)) {
		n = skipped_length(&l);
		if (n)
			copy(&l, n);
		else if (strchr(DIGITS, *l.p))
			copy_number(r, &l);
		else
			copy_word(r, &l);
	}
	*l.out = '\0';
	if (l.bad) {
		free(out);
		return NULL;
	}
	return out;
}
