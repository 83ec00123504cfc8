/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the control socket answers: the pages that were added, /status and
 * /metrics, and how their queries and texts are read and written. */
#include <event2/buffer.h>
#include <event2/http.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libipref/ctl_impl.h"
#include "libipref/log.h"

#define TEXT_METRICS "text/plain; version=0.0.4; charset=utf-8"

struct ctl_metrics {
	struct evbuffer *body;
	const char *name; /* of the metric whose samples follow */
};

static json_t *
status_object(const struct ctl *c)
{
	json_t *obj = json_pack("{s:s, s:s, s:I, s:I}", "program", c->program,
		"version", IPREF_VERSION, "pid", (json_int_t)getpid(),
		"uptime_seconds",
		(json_int_t)((now_ms() - c->start_ms) / 1000));
	size_t i;

	for (i = 0; obj && i < c->n_status; i++)
		if (json_object_set_new(obj, c->status[i].name,
			    c->status[i].fn(c->status[i].arg)))
			log_warn("control: status %s is missing",
				c->status[i].name);
	return obj;
}

static int
page_status(const char *query, struct evbuffer *body, void *arg)
{
	(void)query;
	ctl_put_json(body, status_object(arg));
	return HTTP_OK;
}

static int
page_metrics(const char *query, struct evbuffer *body, void *arg)
{
	const struct ctl *c = arg;
	struct ctl_metrics m = {.body = body};
	char labels[128];
	size_t i;

	(void)query;
	snprintf(labels, sizeof(labels), "program=\"%s\",version=\"%s\"",
		c->program, IPREF_VERSION);
	ctl_metric(&m, "ipref_build_info", CTL_GAUGE,
		"Program and version that run.");
	ctl_sample(&m, labels, 1);
	ctl_metric(&m, "ipref_uptime_seconds", CTL_GAUGE,
		"Seconds since the start.");
	ctl_sample(&m, NULL, (now_ms() - c->start_ms) / 1000);
	for (i = 0; i < c->n_metrics; i++)
		c->metrics[i].fn(&m, c->metrics[i].arg);
	return HTTP_OK;
}

void
ctl_answer_buffer(struct evhttp_request *req, int status,
	const char *content_type, struct evbuffer *body)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);

	if (evhttp_add_header(headers, "Content-Type", content_type))
		log_warn("control: out of memory for headers");
	evhttp_send_reply(req, status, NULL, body);
}

void
ctl_answer_text(struct evhttp_request *req, int status, const char *text)
{
	struct evbuffer *body = evbuffer_new();

	if (!body) {
		evhttp_send_error(req, HTTP_INTERNAL, NULL);
		return;
	}
	evbuffer_add_printf(body, "%s\n", text);
	ctl_answer_buffer(req, status, CTL_TEXT_PLAIN, body);
	evbuffer_free(body);
}

static void
answer_page(struct evhttp_request *req, const struct ctl_page_row *page)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	struct evbuffer *body = evbuffer_new();
	int status;

	if (!body) {
		evhttp_send_error(req, HTTP_INTERNAL, NULL);
		return;
	}
	status = page->page(evhttp_uri_get_query(uri), body, page->arg);
	ctl_answer_buffer(req, status, page->content_type, body);
	evbuffer_free(body);
}

static void
refuse_method(struct evhttp_request *req, bool post)
{
	if (evhttp_add_header(evhttp_request_get_output_headers(req), "Allow",
		    post ? "POST" : "GET"))
		log_warn("control: out of memory for headers");
	ctl_answer_text(req, HTTP_BADMETHOD,
		post ? "this is a command: only POST is answered"
		     : "only GET is answered");
}

static const struct ctl_page_row *
find_page(const struct ctl *c, const char *path)
{
	size_t i;

	for (i = 0; path && i < c->n_pages; i++)
		if (!strcmp(c->pages[i].path, path))
			return &c->pages[i];
	return NULL;
}

void
ctl_on_request(struct evhttp_request *req, void *arg)
{
	struct ctl *c = arg;
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	const struct ctl_page_row *page =
		uri ? find_page(c, evhttp_uri_get_path(uri)) : NULL;
	enum evhttp_cmd_type method = evhttp_request_get_command(req);

	if (!uri)
		evhttp_send_error(req, HTTP_INTERNAL, NULL);
	else if (!page)
		ctl_answer_text(req, HTTP_NOTFOUND, "no such page");
	else if (method != (page->command ? EVHTTP_REQ_POST : EVHTTP_REQ_GET))
		refuse_method(req, page->command);
	else if (page->command)
		ctl_reply_open(c, req, page);
	else if (page->open)
		ctl_stream_open(c, req, page);
	else
		answer_page(req, page);
}

void
ctl_add_own_pages(struct ctl *c)
{
	ctl_add_page(c, "/status", NULL, page_status, c);
	ctl_add_page(c, "/metrics", TEXT_METRICS, page_metrics, c);
}

void
ctl_add_status(struct ctl *c, const char *name, ctl_status_fn fn, void *arg)
{
	if (c->n_status == CTL_ROWS_MAX)
		bug("too many status objects");
	c->status[c->n_status++] = (struct ctl_status_row){name, fn, arg};
}

void
ctl_add_metrics(struct ctl *c, ctl_metrics_fn fn, void *arg)
{
	if (c->n_metrics == CTL_ROWS_MAX)
		bug("too many metrics");
	c->metrics[c->n_metrics++] = (struct ctl_metrics_row){fn, arg};
}

static void
add_row(struct ctl *c, const struct ctl_page_row *row)
{
	if (c->n_pages == CTL_ROWS_MAX)
		bug("too many pages");
	c->pages[c->n_pages] = *row;
	if (!row->content_type)
		c->pages[c->n_pages].content_type = CTL_TEXT_JSON;
	c->n_pages++;
}

void
ctl_add_page(struct ctl *c, const char *path, const char *content_type,
	ctl_page_fn fn, void *arg)
{
	add_row(c, &(struct ctl_page_row){.path = path,
			   .content_type = content_type,
			   .page = fn,
			   .arg = arg});
}

void
ctl_add_stream(struct ctl *c, const char *path, const char *content_type,
	ctl_open_fn open, const struct ctl_source *source, void *page_arg)
{
	add_row(c, &(struct ctl_page_row){.path = path,
			   .content_type = content_type,
			   .open = open,
			   .source = source,
			   .arg = page_arg});
}

void
ctl_add_command(struct ctl *c, const char *path, ctl_command_fn fn, void *arg)
{
	add_row(c, &(struct ctl_page_row){
			   .path = path, .command = fn, .arg = arg});
}

void
ctl_metric(struct ctl_metrics *m, const char *name, enum ctl_kind kind,
	const char *help)
{
	m->name = name;
	evbuffer_add_printf(m->body, "# HELP %s %s\n# TYPE %s %s\n", name, help,
		name, kind == CTL_COUNTER ? "counter" : "gauge");
}

void
ctl_sample(struct ctl_metrics *m, const char *labels, uint64_t value)
{
	if (!m->name)
		bug("a sample before its metric");
	if (labels)
		evbuffer_add_printf(m->body, "%s{%s} %" PRIu64 "\n", m->name,
			labels, value);
	else
		evbuffer_add_printf(
			m->body, "%s %" PRIu64 "\n", m->name, value);
}

static int
append(const char *text, size_t len, void *body)
{
	return evbuffer_add(body, text, len);
}

void
ctl_put_json(struct evbuffer *body, json_t *obj)
{
	if (!obj || json_dump_callback(obj, append, body, JSON_COMPACT) ||
		evbuffer_add(body, "\n", 1))
		log_warn("control: a page could not be written");
	json_decref(obj);
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The value of len bytes, decoded; false when it is broken or too long. */
static bool
query_decode(const char *text, size_t len, char *buf, size_t size)
{
	size_t i, n = 0;
	int high, low;
	char c;

	for (i = 0; i < len; i++) {
		c = text[i];
		if (c == '+') {
			c = ' ';
		} else if (c == '%') {
			high = i + 2 < len ? hex_digit(text[i + 1]) : -1;
			low = high >= 0 ? hex_digit(text[i + 2]) : -1;
			if (low < 0)
				return false;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (!c || n + 1 >= size)
			return false;
		buf[n++] = c;
	}
	buf[n] = '\0';
	return true;
}

bool
ctl_query(const char *query, const char *key, char *buf, size_t size)
{
	size_t len, key_len = strlen(key);

	if (!query || size == 0)
		return false;
	for (;; query += len + 1) {
		len = strcspn(query, "&");
		if (len > key_len && query[key_len] == '=' &&
			!memcmp(query, key, key_len))
			return query_decode(query + key_len + 1,
				len - key_len - 1, buf, size);
		if (!query[len])
			return false;
	}
}
