/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first four bytes of each datagram are the number of its run. */
#include "udp_stream.h"

#include <errno.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

#define PORT	   5001
#define BATCH	   64
#define AT_ONCE	   64	     /* calls before the time is looked at */
#define NAP_NS	   50000     /* while nothing is due */
#define QUIET_NS   30000000  /* then nothing more will come */
#define LATE_NS	   500000000 /* and this is waited in any case at most */
#define TIMEOUT_MS 100

static void *
receive(void *arg)
{
	static uint8_t bytes[BATCH][2048];
	struct udp_stream *s = arg;
	struct mmsghdr msgs[BATCH] = {0};
	struct iovec iov[BATCH];
	unsigned run, mine;
	int i, n;

	path_pin(PATH_RECEIVER);
	for (i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){bytes[i], sizeof(bytes[i])};
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	while (!atomic_load(&s->end)) {
		n = recvmmsg(s->in, msgs, BATCH, MSG_WAITFORONE, NULL);
		for (i = 0, mine = 0; i < n; i++) {
			memcpy(&run, bytes[i], sizeof(run));
			mine += run == atomic_load(&s->run);
		}
		if (mine) {
			atomic_store(&s->got_ns, clock_ns());
			atomic_fetch_add(&s->got, mine);
		}
	}
	return NULL;
}

static int
open_sockets(struct udp_stream *s)
{
	const int size = (int)s->size;
	uint8_t ver = s->path.addr.ver;
	int err = path_listen(
		s->path.to, ver, SOCK_DGRAM, PORT, TIMEOUT_MS, &s->in);

	if (err)
		return err;
	err = path_socket(s->path.from, ver, SOCK_DGRAM, TIMEOUT_MS, &s->out);
	if (err) {
		close(s->in);
		return err;
	}
	if (s->spread == 1)
		err = path_connect(s->out, &s->path.addr, PORT);
	if (!err && s->segments > 1 &&
		setsockopt(
			s->out, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)))
		err = -errno;
	if (err) {
		close(s->in);
		close(s->out);
	}
	return err;
}

int
udp_stream_start(struct udp_stream *s)
{
	int err;

	if (s->size < sizeof(unsigned) ||
		s->size * s->segments > UDP_STREAM_SUPERPACKET)
		return -EINVAL;
	err = open_sockets(s);
	if (err)
		return err;
	atomic_init(&s->end, false);
	atomic_init(&s->run, 0);
	atomic_init(&s->got, 0);
	atomic_init(&s->got_ns, 0);
	path_pin(PATH_SENDER);
	/* What is due is sent then, not some 50 us later. */
	prctl(PR_SET_TIMERSLACK, 1);
	err = -pthread_create(&s->receiver, NULL, receive, s);
	if (err) {
		close(s->in);
		close(s->out);
	}
	return err;
}

void
udp_stream_stop(struct udp_stream *s)
{
	atomic_store(&s->end, true);
	pthread_join(s->receiver, NULL);
	close(s->in);
	close(s->out);
}

/* The i-th of those that a hosts file may list, from the first on: 4096 in each
 * 65536. */
static void
address_at(const struct udp_stream *s, uint32_t i, struct sockaddr_storage *ss,
	socklen_t *len)
{
	struct addr a = s->path.addr;
	size_t n = a.ver == 4 ? 4 : 16;

	for (i = i / 4096 * 65536 + i % 4096; i; i >>= 8) {
		i += a.b[--n];
		a.b[n] = (uint8_t)i;
	}
	addr_to_sockaddr(&a, PORT, ss, len);
}

/* One call: true when it was taken. What is refused is not sent again. */
static bool
send_one(struct udp_stream *s, const uint8_t *bytes, uint64_t i)
{
	size_t len = s->size * s->segments;
	struct sockaddr_storage ss;
	socklen_t ss_len;

	if (s->spread == 1)
		return send(s->out, bytes, len, MSG_NOSIGNAL) > 0;
	address_at(s, (uint32_t)(i % s->spread), &ss, &ss_len);
	return sendto(s->out, bytes, len, MSG_NOSIGNAL,
		       (const struct sockaddr *)&ss, ss_len) > 0;
}

/* Until the time is over: how many datagrams were sent. */
static uint64_t
send_all(struct udp_stream *s, double rate, uint64_t start, uint64_t end)
{
	static uint8_t bytes[UDP_STREAM_SUPERPACKET];
	const struct timespec nap = {0, NAP_NS};
	unsigned run = atomic_load(&s->run), i;
	uint64_t now, sent = 0, tried = 0, due;

	for (i = 0; i < s->segments; i++)
		memcpy(bytes + i * s->size, &run, sizeof(run));
	while ((now = clock_ns()) < end) {
		due = rate > 0 ? (uint64_t)((double)(now - start) * rate / 1e9)
			       : UINT64_MAX;
		if (tried >= due)
			nanosleep(&nap, NULL);
		for (i = 0; i < AT_ONCE && tried < due; i++) {
			sent += send_one(s, bytes, tried / s->segments)
					? s->segments
					: 0;
			tried += s->segments;
		}
	}
	return sent;
}

static void
wait_for_the_rest(const struct udp_stream *s, uint64_t sent)
{
	const struct timespec pause = {0, 1000000};
	uint64_t now, last, since = clock_ns();

	do {
		nanosleep(&pause, NULL); /* poll */
		now = clock_ns();
		last = atomic_load(&s->got_ns);
		last = last > since ? last : since;
	} while (atomic_load(&s->got) < sent && now < last + QUIET_NS &&
		 now < since + LATE_NS);
}

int
udp_stream_run(
	struct udp_stream *s, double rate, double seconds, struct udp_run *out)
{
	uint64_t start = clock_ns(), last;

	atomic_fetch_add(&s->run, 1);
	atomic_store(&s->got, 0);
	atomic_store(&s->got_ns, start);
	out->sent = send_all(s, rate, start, start + (uint64_t)(seconds * 1e9));
	last = clock_ns();
	if (!out->sent)
		return -EIO;
	wait_for_the_rest(s, out->sent);
	out->got = atomic_load(&s->got);
	if (atomic_load(&s->got_ns) > last)
		last = atomic_load(&s->got_ns);
	out->seconds = (double)(last - start) / 1e9;
	return 0;
}
