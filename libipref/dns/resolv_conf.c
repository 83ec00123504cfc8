/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The `nameserver` lines of resolv.conf(5). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libipref/dns/lookup.h"

#define FILE_MAX 65536

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of the line; its length, 0 at the end. */
static size_t
next_word(const char **p, const char *end)
{
	size_t n = 0;

	while (*p < end && is_blank(**p))
		(*p)++;
	while (*p + n < end && !is_blank((*p)[n]))
		n++;
	return n;
}

static bool
parse_line(const char *p, const char *end, struct endpoint *server)
{
	static const char keyword[] = "nameserver";
	size_t n = next_word(&p, end);

	if (n != sizeof(keyword) - 1 || memcmp(p, keyword, n) != 0)
		return false;
	p += n;
	n = next_word(&p, end);
	*server = (struct endpoint){.port = DNS_PORT};
	return addr_parse(&server->addr, p, n);
}

size_t
resolv_conf_parse(
	const char *text, size_t len, struct endpoint *out, size_t max)
{
	const char *end = text + len, *line = text, *stop;
	size_t n = 0;

	while (line < end && n < max) {
		stop = memchr(line, '\n', (size_t)(end - line));
		if (!stop)
			stop = end;
		if (parse_line(line, stop, &out[n]))
			n++;
		line = stop + 1;
	}
	return n;
}

int
resolv_conf_read(const char *path, struct endpoint *out, size_t max, size_t *n)
{
	char *text = malloc(FILE_MAX);
	FILE *f = fopen(path, "re");
	int err = 0;
	size_t len;

	*n = 0;
	if (!text || !f) {
		err = text ? -errno : -ENOMEM;
	} else {
		len = fread(text, 1, FILE_MAX, f);
		if (ferror(f))
			err = -EIO;
		else
			*n = resolv_conf_parse(text, len, out, max);
	}
	if (f)
		fclose(f);
	free(text);
	return err;
}
