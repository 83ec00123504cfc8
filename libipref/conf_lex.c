/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The settings file's text, made ready for libconfig.
 *
 * libconfig cuts a number that is wider than int, silently, unless an L follows
 * it. So long numbers get one here, and those that not even 64 bits hold are
 * errors. So are strings and comments without an end, of which libconfig says
 * the wrong line or nothing. A comment in the last line gets its line end.
 * @include is refused: numbers in another file would escape this, and errors
 * would be said with places in a file that nobody named. Lines stay what they
 * are.
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

/* Length up to and with the text end; 0 when it does not come. */
static size_t
length_to(const struct lexer *l, const char *end)
{
	const char *from = l->p + strlen(end);
	const char *found =
		memmem(from, (size_t)(l->end - from), end, strlen(end));

	return found ? (size_t)(found - l->p) + strlen(end) : 0;
}

static size_t
line_length(const struct lexer *l)
{
	size_t len = length_to(l, "\n");

	return len ? len : left(l);
}

/* Length of a string in quotes, the cursor being at the first; 0 when there is
 * no second. */
static size_t
quoted_length(const struct lexer *l)
{
	size_t i;

	for (i = 1; i < left(l); i++)
		if (l->p[i] == '\\')
			i++;
		else if (l->p[i] == '"')
			return i + 1;
	return 0;
}

static bool
is_at(const struct lexer *l, const char *text)
{
	return left(l) >= strlen(text) && !memcmp(l->p, text, strlen(text));
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

static void
lex_error(struct conf_reading *r, struct lexer *l, const char *reason)
{
	conf_error(r, "%s:%u: %s", r->file, l->line, reason);
	l->bad = true;
}

/* Copies what is no code, a comment or a string; false when here is none. */
static bool
copy_skipped(struct conf_reading *r, struct lexer *l)
{
	size_t len;

	if (is_at(l, "#") || is_at(l, "//")) {
		copy(l, line_length(l));
		return true;
	}
	if (is_at(l, "/*"))
		len = length_to(l, "*/");
	else if (is_at(l, "\""))
		len = quoted_length(l);
	else
		return false;
	if (!len)
		lex_error(r, l,
			is_at(l, "/*") ? "a comment without an end"
				       : "a string without an end");
	copy(l, len ? len : left(l));
	return true;
}

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
		lex_error(r, l, "a number is too long");
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
	char *out = malloc(2 * len + sizeof("\n"));
	struct lexer l = {text, text + len, 1, out, false};

	if (!out) {
		conf_error(r, "%s: out of memory", r->file);
		return NULL;
	}
	while (left(&l)) {
		if (copy_skipped(r, &l))
			continue;
		if (strchr(DIGITS, *l.p))
			copy_number(r, &l);
		else
			copy_word(r, &l);
	}
	/* A comment in the last line has to end, too. */
	if (len && text[len - 1] != '\n')
		*l.out++ = '\n';
	*l.out = '\0';
	if (l.bad) {
		free(out);
		return NULL;
	}
	return out;
}
