/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "iprefctl/packet_line.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "iprefctl/render.h"

struct line {
	char *buf;
	size_t size, len;
};

static void PRINTF_LIKE(2, 3) add(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->buf + l->len, l->size - l->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		l->len += (size_t)n;
	if (l->len >= l->size)
		l->len = l->size - 1; /* cut */
}

/* A member as text; "-" when it is not there. */
static const char *
text(const json_t *o, const char *key, char buf[64])
{
	return render_value(json_object_get(o, key), buf, 64);
}

static bool
is_number(const json_t *o, const char *key)
{
	return json_is_integer(json_object_get(o, key));
}

static void
add_time(struct line *l, const json_t *row)
{
	json_int_t ms = json_integer_value(json_object_get(row, "time_ms"));
	time_t seconds = (time_t)(ms / 1000);
	char clock[16] = "-";
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	add(l, "%s.%03d", clock, (int)(ms % 1000));
}

/* ADDRESS, or with a port, ADDRESS:PORT; [ADDRESS]:PORT for IPv6. */
static void
add_end(struct line *l, const json_t *o, const char *addr, const char *port)
{
	char a[64], p[64];

	text(o, addr, a);
	if (!is_number(o, port))
		add(l, "%s", a);
	else
		add(l, strchr(a, ':') ? "[%s]:%s" : "%s:%s", a,
			text(o, port, p));
}

/* What both forms have behind their addresses. */
static void
add_rest(struct line *l, const json_t *o)
{
	char a[64], b[64];

	if (json_object_get(o, "flags"))
		add(l, " [%s]", text(o, "flags", a));
	if (is_number(o, "icmp_type"))
		add(l, " type %s/%s", text(o, "icmp_type", a),
			text(o, "icmp_code", b));
	if (is_number(o, "echo_id"))
		add(l, " id %s seq %s", text(o, "echo_id", a),
			text(o, "echo_seq", b));
	add(l, " %s bytes", text(o, "length", a));
	if (is_number(o, "ttl"))
		add(l, " ttl %s", text(o, "ttl", a));
	if (json_is_true(json_object_get(o, "df")))
		add(l, " DF");
	if (is_number(o, "offset"))
		add(l, " fragment %s@%s%s", text(o, "id", a),
			text(o, "offset", b),
			json_is_true(json_object_get(o, "more")) ? "+" : "");
}

static void
add_local(struct line *l, const json_t *o)
{
	char protocol[64];

	if (!json_is_object(o)) {
		add(l, "-");
		return;
	}
	if (json_object_get(o, "protocol"))
		add(l, "%s ", text(o, "protocol", protocol));
	add_end(l, o, "src", "src_port");
	add(l, " > ");
	add_end(l, o, "dst", "dst_port");
	add_rest(l, o);
}

static void
add_tunnel(struct line *l, const json_t *row, const json_t *o)
{
	bool out = !strcmp(
		"out", json_string_value(json_object_get(row, "direction")));
	char a[64], b[64];

	if (json_is_object(o)) {
		add(l, "%s + %s > ", text(o, "src_gw", a),
			text(o, "src_ref", b));
		add(l, "%s + %s", text(o, "dst_gw", a), text(o, "dst_ref", b));
		add_rest(l, o);
	} else {
		add(l, "-");
	}
	if (json_is_string(json_object_get(row, "peer"))) {
		add(l, out ? " to " : " from ");
		add_end(l, row, "peer", "port");
	}
}

static bool
skipped_line(const json_t *row, struct line *l)
{
	char n[64];
	const char *why = json_string_value(json_object_get(row, "why"));

	if (!why)
		return false;
	add(l, "%s packets left out: %s", text(row, "packets", n),
		strcmp(why, "rate") ? "they are not read as fast"
				    : "more than are shown in a second");
	return true;
}

bool
packet_line(const json_t *row, char *buf, size_t size)
{
	struct line l = {.buf = buf, .size = size};
	char direction[64], result[64], reason[64];

	if (!json_is_string(json_object_get(row, "direction")))
		return skipped_line(row, &l);
	add_time(&l, row);
	add(&l, " %-3s %s", text(row, "direction", direction),
		text(row, "result", result));
	if (json_object_get(row, "reason"))
		add(&l, " %s", text(row, "reason", reason));
	add(&l, " | ");
	add_local(&l, json_object_get(row, "local"));
	add(&l, " | ");
	add_tunnel(&l, row, json_object_get(row, "tunnel"));
	return true;
}
