/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See publish.h: batches of MSG_BATCH_MAX bytes, a bounded number of them not
 * yet acknowledged, then MC_HOST_DATA_HASH until it is answered with ACK. */
#include "publish.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "keys.h"

#define IN_FLIGHT  256
#define SILENCE_MS 60000

static const struct source source = {"bench.local", "bench.example"};

/* The next packet: its mode, or -errno. */
static int
hear(int fd)
{
	static uint8_t buf[MSG_MAX];
	struct pollfd p = {fd, POLLIN, 0};
	struct msg m;
	ssize_t n;

	if (poll(&p, 1, SILENCE_MS) <= 0)
		return -ETIMEDOUT;
	n = recv(fd, buf, sizeof(buf), 0);
	if (n <= 0)
		return n < 0 ? -errno : -EPIPE;
	if (msg_decode(&m, &key_format, buf, (size_t)n) != MSG_OK)
		return -EPROTO;
	return (int)m.mode;
}

static int
say(int fd, const struct msg *m)
{
	struct pollfd p = {fd, POLLOUT, 0};
	uint8_t buf[MSG_BATCH_MAX];
	size_t len;

	if (msg_encode(m, &key_format, buf, sizeof(buf), &len) != MSG_OK)
		return -EINVAL;
	while (send(fd, buf, len, MSG_NOSIGNAL) < 0)
		if (errno != EAGAIN || poll(&p, 1, SILENCE_MS) <= 0)
			return -errno;
	return 0;
}

/* As many of recs as fit one packet. */
static size_t
batch_size(size_t left)
{
	struct msg m = {0};
	size_t head, n;

	msg_set_source(&m, &source);
	head = MSG_HEADER + 12 + (2 + m.local.len + 3) / 4 * 4 +
	       (2 + m.domain.len + 3) / 4 * 4;
	n = (MSG_BATCH_MAX - head) / msg_arec_len(&key_format);
	return n < left ? n : left;
}

static int
send_batches(int fd, const struct arec *recs, size_t n, uint64_t hash)
{
	struct msg m = {.mode = MSG_REQ, .cmd = MSG_MC_HOST_DATA, .hash = hash};
	size_t sent, in_flight = 0;
	int rc;

	msg_set_source(&m, &source);
	for (sent = 0; sent < n || in_flight; sent += m.n) {
		m.n = in_flight < IN_FLIGHT ? batch_size(n - sent) : 0;
		m.arecs = recs + sent;
		m.count = ++m.id;
		rc = m.n ? say(fd, &m) : hear(fd);
		if (rc < 0)
			return rc;
		if (m.n)
			in_flight++;
		else if (rc != MSG_ACK)
			return -EREMOTEIO;
		else
			in_flight--;
	}
	return 0;
}

static int
confirm(int fd, size_t n, uint64_t hash)
{
	const struct timespec pause = {0, 1000000};
	struct msg m = {
		.mode = MSG_REQ,
		.cmd = MSG_MC_HOST_DATA_HASH,
		.id = 1,
		.count = (uint32_t)n,
		.hash = hash,
	};
	int rc;

	msg_set_source(&m, &source);
	for (;;) {
		rc = say(fd, &m);
		if (rc == 0)
			rc = hear(fd);
		if (rc < 0 || rc == MSG_ACK)
			return rc < 0 ? rc : 0;
		nanosleep(&pause, NULL); /* poll */
	}
}

double
publish_set(int fd, size_t hosts, uint64_t seed)
{
	struct arec *recs = calloc(hosts, sizeof(*recs));
	uint64_t hash, start;
	size_t i;
	int rc;

	if (!recs)
		return -ENOMEM;
	for (i = 0; i < hosts; i++) {
		recs[i] = key_host(i, seed);
		recs[i].gw = addr_zero(4);
	}
	hash = msg_set_hash(recs, hosts);
	/* That has sorted them; agents send them in no order. */
	for (i = 0; i < hosts; i++) {
		recs[i] = key_host(i, seed);
		recs[i].gw = addr_zero(4);
	}
	start = clock_ns();
	rc = send_batches(fd, recs, hosts, hash);
	if (rc == 0)
		rc = confirm(fd, hosts, hash);
	free(recs);
	return rc < 0 ? rc : (double)(clock_ns() - start) / 1e9;
}
