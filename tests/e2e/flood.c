/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flood RATE SECONDS: sends the IP packets on standard input from a raw socket,
 * one after the other, over and over; for the attack tests, which run it in
 * namespaces of their own.
 *
 * A line is a packet in hex, then fields that change: AT/BYTES/N[/EACH], an
 * integer at that place, counted up from what the packet has, N values, each
 * for EACH packets (1). Checksums of UDP over IPv6, ICMP and ICMPv6 are made;
 * those of IPv4 headers are made by the kernel. The packets of one run are of
 * one IP version. Prints "sent N packets, N bytes, N per second".
 */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "libipref/addr.h"
#include "libipref/buf.h"

#define PACKET_MAX  2048
#define TEXT_MAX    16384
#define FIELDS_MAX  8
#define LINES_MAX   512
#define BATCH	    32
#define SECONDS_MAX 60

#define NS_PER_S 1000000000

struct field {
	size_t at, bytes;
	uint64_t first, n, each;
};

struct line {
	uint8_t p[PACKET_MAX];
	size_t len, n_fields;
	struct field fields[FIELDS_MAX];
};

struct flood {
	struct line *lines; /* owned */
	size_t n;
	uint64_t rate, most;
	uint8_t ver;
	int fd;
	uint64_t i, sent, bytes;
};

static void
die(const char *what)
{
	fprintf(stderr, "flood: %s\n", what);
	exit(2);
}

/* --- reading ----------------------------------------------------------------
 */

static void
read_hex(struct line *l, const char *text)
{
	unsigned byte;

	for (; text[0]; text += 2) {
		if (l->len == PACKET_MAX || !text[1] ||
			sscanf(text, "%2x", &byte) != 1)
			die("not a packet in hex");
		l->p[l->len++] = (uint8_t)byte;
	}
	if (l->len < 20)
		die("a packet is too short");
}

static void
read_field(struct line *l, const char *text)
{
	struct field *f = &l->fields[l->n_fields];
	size_t i;

	f->each = 1;
	if (l->n_fields++ == FIELDS_MAX ||
		sscanf(text, "%zu/%zu/%" SCNu64 "/%" SCNu64, &f->at, &f->bytes,
			&f->n, &f->each) < 3 ||
		!f->n || !f->each || !f->bytes || f->bytes > 8 ||
		f->at > l->len || f->bytes > l->len - f->at)
		die("not a field");
	for (i = 0; i < f->bytes; i++)
		f->first = f->first << 8 | l->p[f->at + i];
}

static void
read_lines(struct flood *f)
{
	static char text[TEXT_MAX];
	char *word, *rest;

	f->lines = calloc(LINES_MAX, sizeof(*f->lines));
	if (!f->lines)
		die("no memory");
	while (fgets(text, sizeof(text), stdin)) {
		rest = text;
		word = strtok_r(rest, " \n", &rest);
		if (!word)
			continue;
		if (f->n == LINES_MAX)
			die("too many packets");
		read_hex(&f->lines[f->n], word);
		while ((word = strtok_r(NULL, " \n", &rest)))
			read_field(&f->lines[f->n], word);
		f->n++;
	}
	if (!f->n)
		die("no packets");
	f->ver = f->lines[0].p[0] >> 4;
}

/* --- writing ----------------------------------------------------------------
 */

static void
put(uint8_t *p, uint64_t value, size_t bytes)
{
	while (bytes--) {
		p[bytes] = (uint8_t)value;
		value >>= 8;
	}
}

static uint64_t
words(const uint8_t *p, size_t len)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint64_t)p[i] << 8;
	return sum;
}

/* The checksum at `at` of the layer 4 that begins at l4. */
static void
make_sum(uint8_t *p, size_t len, size_t l4, size_t at, uint64_t sum)
{
	if (len < at + 2)
		return;
	put(p + at, 0, 2);
	sum = (sum + words(p + l4, len - l4)) % 0xffff;
	put(p + at, sum == 0xffff ? 0xffff : 0xffff - sum, 2);
}

static void
make_sums(uint8_t ver, uint8_t *p, size_t len)
{
	uint64_t pseudo;

	if (ver == 4) {
		if (p[9] == IPPROTO_ICMP && !(p[6] & 0x3f) && !p[7])
			make_sum(p, len, 20, 22, 0);
		return;
	}
	pseudo = words(p + 8, 32) + (len - 40) + p[6];
	if (p[6] == IPPROTO_UDP)
		make_sum(p, len, 40, 46, pseudo);
	else if (p[6] == IPPROTO_ICMPV6)
		make_sum(p, len, 40, 42, pseudo);
}

/* Packet number i into buf; its length. */
static size_t
make(const struct flood *f, uint64_t i, uint8_t *buf, struct addr *to)
{
	const struct line *l = &f->lines[i % f->n];
	const struct field *field;
	struct rbuf r;

	memcpy(buf, l->p, l->len);
	for (field = l->fields; field < l->fields + l->n_fields; field++)
		put(buf + field->at, field->first + i / field->each % field->n,
			field->bytes);
	make_sums(f->ver, buf, l->len);
	rbuf_init(&r, buf, l->len);
	rbuf_skip(&r, f->ver == 4 ? 16 : 24);
	*to = addr_get(&r, f->ver);
	return l->len;
}

/* --- sending ----------------------------------------------------------------
 */

static int
open_socket(uint8_t ver)
{
	int fd = socket(ver == 4 ? AF_INET : AF_INET6, SOCK_RAW, IPPROTO_RAW);
	int yes = 1, room = 4 << 20;

	if (fd < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &yes, sizeof(yes)) ||
		setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)))
		die(strerror(errno));
	return fd;
}

/* One batch; what the network has no room for now is not sent. */
static void
send_batch(struct flood *f)
{
	static uint8_t bufs[BATCH][PACKET_MAX];
	struct sockaddr_storage to[BATCH];
	struct mmsghdr msgs[BATCH] = {0};
	struct iovec iovs[BATCH];
	struct addr addr;
	socklen_t len;
	int n, done, i;

	for (n = 0; n < BATCH && f->i < f->most; n++) {
		iovs[n].iov_base = bufs[n];
		iovs[n].iov_len = make(f, f->i++, bufs[n], &addr);
		addr_to_sockaddr(&addr, 0, &to[n], &len);
		msgs[n].msg_hdr = (struct msghdr){.msg_name = &to[n],
			.msg_namelen = len,
			.msg_iov = &iovs[n],
			.msg_iovlen = 1};
	}
	for (i = 0; i<n; i += done> 0 ? done : 1) {
		done = sendmmsg(f->fd, msgs + i, (unsigned)(n - i), 0);
		if (done < 0 && errno != ENOBUFS && errno != EAGAIN)
			die(strerror(errno));
		for (int j = i; j < i + done; j++) {
			f->sent++;
			f->bytes += iovs[j].iov_len;
		}
	}
}

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* Until the time is over, whether or not all could be sent in it. */
static void
run(struct flood *f, uint64_t seconds)
{
	uint64_t start = now_ns(), end = start + seconds * NS_PER_S, due, took;
	struct timespec ts;

	while (f->i < f->most && now_ns() < end) {
		due = start + f->i * NS_PER_S / f->rate;
		ts.tv_sec = (time_t)(due / NS_PER_S);
		ts.tv_nsec = (long)(due % NS_PER_S);
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts,
			       NULL) == EINTR)
			;
		send_batch(f);
	}
	took = now_ns() - start;
	printf("sent %" PRIu64 " packets, %" PRIu64 " bytes, %" PRIu64
	       " per second\n",
		f->sent, f->bytes, f->sent * NS_PER_S / (took + 1));
}

int
main(int argc, char **argv)
{
	struct flood f = {0};
	uint64_t seconds;

	if (argc != 3)
		die("usage: flood RATE SECONDS <PACKETS");
	f.rate = strtoull(argv[1], NULL, 10);
	seconds = strtoull(argv[2], NULL, 10);
	if (!f.rate || f.rate > 1000000 || !seconds || seconds > SECONDS_MAX)
		die("RATE is 1 to 1000000, SECONDS 1 to 60");
	f.most = f.rate * seconds;
	read_lines(&f);
	f.fd = open_socket(f.ver);
	run(&f, seconds);
	close(f.fd);
	free(f.lines);
	return 0;
}
