/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /watch: changes as they happen, one JSON object a line.
 *
 * All watchers read one ring of the last changes, each from its own place. It
 * exists while somebody watches. A change is copied into it when it has
 * happened and written as text only when a watcher is ready for it, so watching
 * costs the mapper next to nothing. A watcher that has fallen behind by the
 * whole ring is told {"lost":true} and goes on from the present; one that takes
 * nothing at all is cut by the control socket.
 *
 *	{"change":"start","revision":R}		first: what comes is above R
 *	{"revision":R,"change":"set",...}	a mapping is made or replaced
 *	{"revision":R,"change":"del",...}	it has ended
 *	{"lost":true,"revision":R}		changes up to R are missing
 */
#include "mapperd/pages.h"

#include <errno.h>
#include <event2/buffer.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "libipref/ctl.h"
#include "libipref/log.h"

#define RING	       131072 /* a power of two */
#define PORTION_SHOWN  64
#define PORTION_LOOKED 1024

struct slot {
	uint64_t revision;
	bool set; /* else del */
	struct entry_data data;
	char *name; /* of data; owned */
};

struct watch {
	struct mapperd *d;
	struct slot *ring; /* owned; NULL: nobody watches */
	uint64_t n;	   /* changes so far; that of number i is at i % RING */
	LIST_HEAD(, watcher) watchers;
};

struct watcher {
	struct watch *watch;
	struct ctl_stream *stream;
	struct filter filter;
	uint64_t next; /* number of the change to be shown next */
	bool begun;
	LIST_ENTRY(watcher) link; /* list watch.watchers */
};

static void
ring_free(struct watch *w)
{
	size_t i;

	for (i = 0; w->ring && i < RING && i < w->n; i++)
		free(w->ring[i].name);
	free(w->ring);
	w->ring = NULL;
	w->n = 0;
}

static void
ring_put(struct watch *w, uint64_t revision, const struct op *op)
{
	struct slot *slot = &w->ring[w->n++ % RING];

	free(slot->name);
	*slot = (struct slot){revision, op->kind == OP_ADD, op->data, NULL};
	if (op->data.name)
		slot->name = strdup(op->data.name);
	slot->data.name = slot->name;
	slot->data.born = revision;
}

void
watch_published(struct watch *w, uint64_t revision, const struct change *c)
{
	struct watcher *one;
	size_t i;

	if (!w || !w->ring)
		return;
	for (i = 0; i < c->n; i++)
		if (c->ops[i].kind == OP_ADD || c->ops[i].kind == OP_DEL)
			ring_put(w, revision, &c->ops[i]);
	LIST_FOREACH(one, &w->watchers, link)
	ctl_wake(one->stream);
}

static void
put_slot(struct evbuffer *out, const struct slot *slot, const struct show *how)
{
	char buf[SHOW_MAX];
	size_t len = show_mapping(buf, &slot->data, how, false);

	evbuffer_add_printf(out, "{\"revision\":%" PRIu64 ",\"change\":\"%s\",",
		slot->revision, slot->set ? "set" : "del");
	evbuffer_add(out, buf, len);
	evbuffer_add(out, "}\n", 2);
}

/* What stands before the changes: where they begin. */
static void
put_start(struct watcher *one, struct evbuffer *out)
{
	const struct watch *w = one->watch;
	uint64_t revision = mapper_revision(server_mapper(w->d->server));

	if (!one->begun) {
		evbuffer_add_printf(out,
			"{\"change\":\"start\",\"revision\":%" PRIu64 "}\n",
			revision);
	} else if (w->n - one->next > RING) {
		evbuffer_add_printf(out,
			"{\"lost\":true,\"revision\":%" PRIu64 "}\n", revision);
	} else {
		return;
	}
	one->begun = true;
	one->next = w->n;
}

static enum ctl_next
watch_next(struct evbuffer *out, void *arg)
{
	struct watcher *one = arg;
	const struct watch *w = one->watch;
	const struct show how = pages_show(w->d);
	const struct slot *slot;
	size_t shown = 0, looked = 0;

	put_start(one, out);
	while (one->next < w->n) {
		if (shown == PORTION_SHOWN || looked++ == PORTION_LOOKED)
			return CTL_MORE;
		slot = &w->ring[one->next++ % RING];
		if (!filter_match(&one->filter, &slot->data, &how))
			continue;
		put_slot(out, slot, &how);
		shown++;
	}
	return CTL_WAIT;
}

static void
watch_closed(void *arg)
{
	struct watcher *one = arg;

	LIST_REMOVE(one, link);
	if (LIST_EMPTY(&one->watch->watchers))
		ring_free(one->watch);
	free(one);
}

static int
watch_open(struct ctl_stream *s, const char *query, struct evbuffer *error,
	void *page_arg, void **arg)
{
	struct watch *w = page_arg;
	struct watcher *one = NULL;
	struct filter filter;
	int status = pages_filter(w->d, query, &filter, error);

	if (status != 200)
		return status;
	if (!w->ring)
		w->ring = calloc(RING, sizeof(*w->ring));
	if (w->ring)
		one = calloc(1, sizeof(*one));
	if (!one) {
		if (LIST_EMPTY(&w->watchers))
			ring_free(w);
		evbuffer_add_printf(error, "out of memory\n");
		return 500;
	}
	one->watch = w;
	one->stream = s;
	one->filter = filter;
	one->next = w->n;
	LIST_INSERT_HEAD(&w->watchers, one, link);
	*arg = one;
	return 200;
}

struct watch *
watch_new(struct mapperd *d)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (w)
		w->d = d;
	return w;
}

void
watch_free(struct watch *w)
{
	if (w && !LIST_EMPTY(&w->watchers))
		bug("watch: somebody watches still");
	free(w);
}

void
watch_add(struct watch *w)
{
	static const struct ctl_source source = {
		.next = watch_next, .closed = watch_closed};

	ctl_add_stream(w->d->daemon->ctl, "/watch", "application/jsonl",
		watch_open, &source, w);
}
