/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the network says about datagrams of ours. Anybody can send such a
 * message: it may make a path narrower, within bounds, and nothing else.
 *
 * A packet is being worked on when these run in the middle of a send: nothing
 * here touches its buffers.
 */
#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "gwd/lost.h"
#include "gwd/udp_errors.h"
#include "gwd/worker_impl.h"

#define ERRORS_MAX	  64   /* read at a time, of a socket */
#define SOCKETS_MAX	  16   /* looked at, at a time */
#define ERRORS_PER_SECOND 1000 /* read; with more the queue is switched off */

/* What is believed at least when a message does not quote a packet that we can
 * have sent: it may be forged, and what gets through everywhere does no harm
 * (RFC 8200, 5). */
#define UNPROVED_LEAST 1280

/* The host whose packet was lost learns it from the message, as far as that
 * goes; else from its next packet. */
static void
tell_host(struct worker *w, const struct udp_error *e)
{
	struct packet_out out = {.p = w->told, .size = sizeof(w->told)};
	const struct job j = {
		.way = WAY_IN,
		.in = {.p = e->quote, .len = e->quote_len, .from = e->from},
	};
	uint32_t mtu = send_path_mtu(w, &e->to);

	lost_reply(w->cfg.set, w->cfg.maps, e->quote, e->quote_len, mtu,
		w->number++, &out);
	if (out.reply)
		send_reply(w, &j, &out);
}

static void
too_big(struct worker *w, const struct udp_error *e)
{
	bool ours = !e->from.ver;
	char to[ADDR_TEXT_MAX], from[ADDR_TEXT_MAX];
	uint32_t mtu = e->mtu;
	const struct ref *own = &peer_confs_get(w->cfg.confs, &e->to)->ref;
	bool proved = !ours && lost_is_ours(w->cfg.set, w->cfg.maps, &e->to,
				       own, e->quote, e->quote_len);

	if (!ours && !proved && mtu < UNPROVED_LEAST)
		mtu = UNPROVED_LEAST;
	if (paths_learn(w->cfg.paths, &e->to, mtu, w->now_ms))
		log_debug("path to %s: MTU %u, says %s",
			addr_format(&e->to, to), mtu,
			ours ? "the kernel" : addr_format(&e->from, from));
	if (proved)
		tell_host(w, e);
	way_changed(w, &e->to);
}

static void
switch_errors(struct worker *w, bool on)
{
	int err = 0;
	size_t i;

	for (i = 0; !err && i < w->n_error_fds; i++)
		err = udp_errors_set(
			w->error_fds[i], w->cfg.set->tunnel_ver, on);
	if (err)
		log_limited(&w->limit, LOG_LEVEL_WARN,
			"tunnel socket: its error queue can't be switched %s: "
			"%s",
			on ? "on" : "off", strerror(-err));
	w->errors_on = on && !err;
}

/* A storm of messages takes the room of datagrams in the socket and fails
 * sends: for the rest of the second there are none then. */
static bool
is_storm(struct worker *w)
{
	if (w->errors_left > 0) {
		w->errors_left--;
		return false;
	}
	log_limited(&w->limit, LOG_LEVEL_WARN,
		"tunnel socket: more than %u ICMP errors in a second, the "
		"others are not read",
		ERRORS_PER_SECOND);
	switch_errors(w, false);
	return true;
}

void
errors_tick(struct worker *w)
{
	if (w->now_ms / 1000 == w->errors_second)
		return;
	w->errors_second = w->now_ms / 1000;
	w->errors_left = ERRORS_PER_SECOND;
	if (!w->errors_on)
		switch_errors(w, true);
}

static size_t
take_from(struct worker *w, int fd)
{
	struct udp_error *e = &w->error;
	size_t n;

	for (n = 0; n < ERRORS_MAX; n++) {
		if (udp_errors_next(fd, e) || is_storm(w))
			break;
		if (e->error == EMSGSIZE) {
			w->counters.told_too_big++;
			too_big(w, e);
		} else {
			w->counters.told_unreachable++;
			peers_error(w->cfg.peers, &e->to, e->error, w->now_ms);
		}
	}
	return n;
}

size_t
errors_take(struct worker *w)
{
	size_t i, n = 0;

	for (i = 0; i < w->n_error_fds; i++)
		n += take_from(w, w->error_fds[i]);
	return n;
}

static void
on_errors(evutil_socket_t fd, short what, void *arg)
{
	struct epoll_event found[SOCKETS_MAX];
	struct worker *w = arg;
	int i, n = epoll_wait(fd, found, SOCKETS_MAX, 0);

	(void)what;
	worker_begin(w);
	for (i = 0; i < n; i++) {
		(void)take_from(w, found[i].data.fd);
		/* Also without a message there may be an error left. */
		udp_errors_clear(found[i].data.fd);
	}
}

/* --- life ----------------------------------------------------------------- */

/* Wakes for errors only: what arrives there is for those who read it. */
static int
watch_errors(struct worker *w)
{
	struct epoll_event ev = {0};
	size_t i;

	w->errors_fd = epoll_create1(EPOLL_CLOEXEC);
	if (w->errors_fd < 0)
		return -errno;
	for (i = 0; i < w->n_error_fds; i++) {
		ev.data.fd = w->error_fds[i];
		if (epoll_ctl(w->errors_fd, EPOLL_CTL_ADD, ev.data.fd, &ev))
			return -errno;
	}
	return 0;
}

int
errors_init(struct worker *w)
{
	int err;

	w->error_fds = w->cfg.n_udp_fds ? w->cfg.udp_fds : &w->cfg.udp_fd;
	w->n_error_fds = w->cfg.n_udp_fds ? w->cfg.n_udp_fds : 1;
	err = watch_errors(w);
	if (err)
		return err;
	w->errors = event_new(
		w->cfg.base, w->errors_fd, EV_READ | EV_PERSIST, on_errors, w);
	if (!w->errors || event_add(w->errors, NULL))
		return -ENOMEM;
	worker_begin(w);
	return 0;
}

void
errors_fini(struct worker *w)
{
	if (w->errors)
		event_free(w->errors);
	if (w->errors_fd >= 0)
		close(w->errors_fd);
}
