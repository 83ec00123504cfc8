/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sendmmsg() tells only of its first message why it did not go: the one at
 * which it stopped is therefore the first of the next call.
 */
#include "gwd/udp_many.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <linux/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gwd/udp_impl.h"

/* One less than each kernel's own limit, as the limit itself has been counted
 * differently by some. */
#define SEGMENTS_OLD 63	 /* before Linux 6.9 */
#define SEGMENTS_NEW 127 /* from there on */

/* --- sending ------------------------------------------------------------ */

void
udp_dest_init(struct udp_dest *d, const struct udp_to *to)
{
	struct msghdr mh = {.msg_control = &d->control};

	addr_to_sockaddr(&to->addr, to->port, &d->name, &d->name_len);
	memset(&d->control, 0, sizeof(d->control));
	udp_control_add_tos(&mh, to->addr.ver, to->tos);
	d->plain_len = mh.msg_controllen;
	udp_control_add_source(&mh, &to->src);
	d->control_len = mh.msg_controllen;
}

/* The message to be sent, with so much of its destination's ancillary data;
 * room is for that of this message alone. */
static struct msghdr
message(const struct udp_out *o, size_t control_len, union udp_control *room)
{
	struct udp_dest *d = (struct udp_dest *)(uintptr_t)o->dest;
	struct msghdr mh = {
		.msg_name = &d->name,
		.msg_namelen = d->name_len,
		.msg_iov = o->iov,
		.msg_iovlen = o->n_iov,
		.msg_control = &d->control,
		.msg_controllen = control_len,
	};

	if (!o->segment)
		return mh;
	*room = d->control;
	mh.msg_control = room;
	udp_control_add(
		&mh, IPPROTO_UDP, UDP_SEGMENT, &o->segment, sizeof(o->segment));
	return mh;
}

/* How many went, 1 or more; -errno: the first one did not. */
static int
send_some(int fd, const struct udp_out *v, size_t n)
{
	union udp_control rooms[UDP_MANY];
	struct mmsghdr messages[UDP_MANY];
	size_t i;
	int sent;

	for (i = 0; i < n; i++)
		messages[i].msg_hdr =
			message(&v[i], v[i].dest->control_len, &rooms[i]);
	do
		sent = sendmmsg(fd, messages, (unsigned)n, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : sent;
}

static int
send_one(int fd, const struct udp_out *o, size_t control_len)
{
	union udp_control room;
	struct msghdr mh = message(o, control_len, &room);
	ssize_t n;

	do
		n = sendmsg(fd, &mh, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* A message that did not go, which may have been for what was said of another:
 * 0 or why it does not go. */
static int
send_again(int fd, const struct udp_out *o, int err)
{
	const struct udp_dest *d = o->dest;

	if (err == -EAGAIN || err == -ENOBUFS)
		return err;
	err = send_one(fd, o, d->control_len);
	if (udp_is_no_source(err) && d->plain_len < d->control_len)
		err = send_one(fd, o, d->plain_len);
	return err;
}

size_t
udp_send_many(int fd, const struct udp_out *v, size_t n, int *err)
{
	size_t sent = 0, most;
	int went;

	*err = 0;
	while (sent < n && !*err) {
		most = n - sent < UDP_MANY ? n - sent : UDP_MANY;
		went = send_some(fd, v + sent, most);
		if (went > 0) {
			sent += (size_t)went;
			continue;
		}
		*err = send_again(fd, v + sent, went);
		if (!*err)
			sent++;
	}
	return sent;
}

/* A socket that sends to itself. */
static int
loopback_socket(struct udp_dest *d)
{
	struct udp_to to = {.addr = {4, {127, 0, 0, 1}}};
	struct sockaddr_storage ss;
	socklen_t len;
	struct endpoint e;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	addr_to_sockaddr(&to.addr, 0, &ss, &len);
	if (bind(fd, (const struct sockaddr *)&ss, len) ||
		getsockname(fd, (struct sockaddr *)&ss, &len) ||
		!endpoint_from_sockaddr(
			&e, (const struct sockaddr *)&ss, len)) {
		close(fd);
		return -1;
	}
	to.port = e.port;
	udp_dest_init(d, &to);
	return fd;
}

unsigned
udp_most_segments(void)
{
	uint8_t bytes[SEGMENTS_NEW] = {0};
	struct iovec iov = {bytes, sizeof(bytes)};
	struct udp_dest d;
	struct udp_out o = {.dest = &d, .iov = &iov, .n_iov = 1, .segment = 1};
	int size = 0, err, fd = loopback_socket(&d);
	socklen_t len = sizeof(size);
	unsigned most = 0;

	if (fd < 0)
		return 0;
	if (!getsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, &len)) {
		err = send_one(fd, &o, d.control_len);
		most = err ? SEGMENTS_OLD : SEGMENTS_NEW;
	}
	close(fd);
	return most;
}

/* --- receiving ---------------------------------------------------------- */

int
udp_set_gro(int fd, bool on)
{
	int value = on;

	return setsockopt(fd, IPPROTO_UDP, UDP_GRO, &value, sizeof(value))
		       ? -errno
		       : 0;
}

/* What the kernel writes to, for one message. */
struct reception {
	struct sockaddr_storage name;
	struct iovec iov;
	union udp_control control;
};

static struct msghdr
prepare(const struct udp_in *in, struct reception *r)
{
	r->iov = (struct iovec){in->buf, in->size};
	return (struct msghdr){
		.msg_name = &r->name,
		.msg_namelen = sizeof(r->name),
		.msg_iov = &r->iov,
		.msg_iovlen = 1,
		.msg_control = &r->control,
		.msg_controllen = sizeof(r->control),
	};
}

static void
take(struct udp_in *in, struct mmsghdr *m, const struct reception *r)
{
	struct msghdr *mh = &m->msg_hdr;

	in->len = m->msg_len;
	in->segment = 0;
	in->from = (struct udp_from){0};
	in->lost = udp_is_cut(mh) ||
		   !endpoint_from_sockaddr(&in->from.from,
			   (const struct sockaddr *)&r->name, mh->msg_namelen);
	if (!in->lost)
		in->segment = udp_control_read(mh, &in->from);
}

int
udp_recv_many(int fd, struct udp_in *v, size_t n)
{
	struct reception room[UDP_MANY];
	struct mmsghdr messages[UDP_MANY];
	size_t i, most = n < UDP_MANY ? n : UDP_MANY;
	int got, k;

	for (i = 0; i < most; i++)
		messages[i].msg_hdr = prepare(&v[i], &room[i]);
	do
		got = recvmmsg(
			fd, messages, (unsigned)most, MSG_DONTWAIT, NULL);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	for (k = 0; k < got; k++)
		take(&v[k], &messages[k], &room[k]);
	return got;
}

int
udp_drops(int fd, uint32_t *drops)
{
	uint32_t info[SK_MEMINFO_VARS] = {0};
	socklen_t len = sizeof(info);

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len))
		return -errno;
	*drops = info[SK_MEMINFO_DROPS];
	return 0;
}
