/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Logical lines of zone files. A file that ends within quotes or parentheses is
 * an error, never a shorter zone.
 */
#include "resolverd/zonetext.h"

#include <stdlib.h>
#include <string.h>

#define GENERATE_MAX 65536

bool
zonetext_init(struct zonetext *t, FILE *in)
{
	*t = (struct zonetext){.in = in};
	t->buf = malloc(ZONETEXT_LINE_MAX);
	return t->buf;
}

void
zonetext_fini(struct zonetext *t)
{
	free(t->buf);
	t->buf = NULL;
}

/* Where a logical line stands while it is read. */
struct scan {
	size_t len;
	unsigned depth; /* of parentheses */
	bool quoted, comment, escaped;
	const char *error;
};

/* One character of the line, but for its end. */
static void
scan_char(struct scan *s, char *buf, int c)
{
	if (s->comment)
		return;
	if (s->escaped) {
		s->escaped = false;
	} else if (c == '\\') {
		s->escaped = true;
	} else if (c == '"') {
		s->quoted = !s->quoted;
	} else if (s->quoted) {
		;
	} else if (c == ';') {
		s->comment = true;
		return;
	} else if (c == '(') {
		s->depth++;
		c = ' ';
	} else if (c == ')') {
		if (!s->depth--)
			s->error = "closing parenthesis without an opening one";
		c = ' ';
	} else if (c == '\r') {
		c = ' ';
	}
	if (!c)
		s->error = "a zero byte";
	if (s->len + 1 < ZONETEXT_LINE_MAX)
		buf[s->len++] = (char)c;
	else
		s->error = "line too long";
}

/* The end of a physical line: true when it ends the logical one. */
static bool
scan_newline(struct scan *s, char *buf)
{
	s->comment = false;
	if (s->quoted || s->escaped)
		s->error = "string not closed on its line";
	if (!s->depth)
		return true;
	scan_char(s, buf, ' ');
	return false;
}

static bool
is_blank(const char *s)
{
	return !s[strspn(s, " \t")];
}

/* False at the end of the file. */
static bool
read_line(struct zonetext *t, struct scan *s)
{
	int c;

	for (;;) {
		c = getc(t->in);
		if (c == EOF)
			break;
		if (c != '\n') {
			scan_char(s, t->buf, c);
			continue;
		}
		t->line++;
		if (scan_newline(s, t->buf) || s->error)
			return true;
	}
	t->line++;
	if (ferror(t->in))
		s->error = "read error";
	else if (s->quoted || s->escaped)
		s->error = "string not closed at the end of the file";
	else if (s->depth)
		s->error = "parenthesis not closed at the end of the file";
	return s->len || s->error;
}

enum zonetext_result
zonetext_next(struct zonetext *t, const char **error)
{
	struct scan s;

	do {
		s = (struct scan){0};
		t->at = t->line + 1;
		if (!read_line(t, &s))
			return ZONETEXT_END;
		t->buf[s.len] = '\0';
		if (s.error) {
			*error = s.error;
			return ZONETEXT_BAD;
		}
	} while (is_blank(t->buf));
	return ZONETEXT_LINE;
}

char *
zonetext_word(char **p)
{
	char *start = *p + strspn(*p, " \t"), *end = start;
	bool quoted = false;

	if (!*start)
		return NULL;
	for (; *end && (quoted || !strchr(" \t", *end)); end++) {
		if (*end == '\\' && end[1])
			end++;
		else if (*end == '"')
			quoted = !quoted;
	}
	*p = end;
	if (*end) {
		*end = '\0';
		(*p)++;
	}
	return start;
}

bool
generate_parse(struct generate *g, const char *text)
{
	int used = 0;

	g->step = 1;
	if (sscanf(text, "%9u-%9u%n", &g->start, &g->stop, &used) != 2)
		return false;
	if (text[used] == '/') {
		text += used + 1;
		if (sscanf(text, "%9u%n", &g->step, &used) != 1)
			return false;
	}
	return !text[used] && g->step && g->start <= g->stop &&
	       (g->stop - g->start) / g->step < GENERATE_MAX;
}

/* "${OFFSET,WIDTH,BASE}" from behind its $: the characters used, 0: broken. */
static size_t
expand_braces(char *out, size_t size, const char *text, unsigned value)
{
	static const char *const formats[] = {
		"%0*lld", "%0*llo", "%0*llx", "%0*llX"};
	static const char bases[] = "doxX";
	int offset = 0, width = 0, used = 0, n;
	const char *end = strchr(text, '}'), *which;
	char base = 'd';

	if (!end)
		return 0;
	if (sscanf(text, "{%9d,%3d,%c}%n", &offset, &width, &base, &used) < 1)
		return 0;
	if (!used)
		(void)sscanf(text, "{%9d,%3d}%n", &offset, &width, &used);
	if (!used)
		(void)sscanf(text, "{%9d}%n", &offset, &used);
	which = strchr(bases, base);
	if (text + used != end + 1 || !base || !which || width < 0 ||
		(long long)value + offset < 0)
		return 0;
	n = snprintf(out, size, formats[which - bases], width,
		(long long)value + offset);
	return n > 0 && (size_t)n < size ? (size_t)used : 0;
}

bool
generate_expand(char *out, size_t size, const char *template, unsigned value)
{
	size_t len = 0, used;

	for (; *template; template ++) {
		if (len + 16 > size)
			return false;
		if (*template == '\\' && template[1] == '$') {
			out[len++] = *++template;
		} else if (*template != '$') {
			out[len++] = *template;
		} else if (template[1] == '{') {
			used = expand_braces(
				out + len, size - len, template + 1, value);
			if (!used)
				return false;
			template += used;
			len += strlen(out + len);
		} else {
			len += (size_t)snprintf(
				out + len, size - len, "%u", value);
		}
	}
	out[len] = '\0';
	return true;
}
