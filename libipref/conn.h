/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One peer on a Unix SOCK_SEQPACKET socket: reading, checking, queueing.
 *
 * A conn owns its descriptor and its events. Each packet that arrives is
 * decoded and given to the handler; what does not decode is counted, logged
 * (limited) and dropped, and the connection stays. Sending queues when the
 * kernel's buffer is full, within a bound; a peer beyond the bound is dropped,
 * nobody waits for it. The dialect of a peer is that of its first packet that
 * is not refused. At log level debug each message is a line.
 */
#ifndef LIBIPREF_CONN_H
#define LIBIPREF_CONN_H

#include <sys/types.h>

#include "libipref/base.h"
#include "libipref/log.h"
#include "libipref/msg.h"

struct event_base;
struct conn;

/* m is NULL when the peer is gone (closed, failed, too slow): the handler then
 * frees the conn (it may do so in any call) and everything of that peer. */
typedef void (*conn_handler)(struct conn *c, const struct msg *m, void *arg);

struct conn_stats {
	uint64_t in, out;		/* packets */
	uint64_t refused[MSG_N_ERRORS]; /* arrived, by reason */
	uint64_t truncated;		/* longer than MSG_MAX */
	uint64_t overflows;		/* peers dropped for not reading */
	struct log_limit limit;		/* on lines about all this */
};

struct conn_config {
	struct msg_format fmt; /* dialect UNKNOWN: learnt from the peer */
	size_t queue_max;      /* bytes queued before the peer is dropped */
	conn_handler handler;
	void *arg;		  /* for the handler; borrowed */
	struct conn_stats *stats; /* shared by many conns of one thread, or
				   * NULL; borrowed */
	const char *name;	  /* for logs, "mapper" or "client"; copied */
};

/* Takes fd (a connected SEQPACKET socket; made non-blocking). NULL with errno
 * when memory is short; fd is closed then too. Reading starts at once. */
struct conn *conn_new(struct event_base *base, int fd,
	const struct conn_config *cfg) MUSTCHECK;
/* Closes at once; what is queued is lost. NULL is fine. Never from another
 * thread than the loop's. */
void conn_free(struct conn *c);

/* Sends or queues; never calls the handler. 0; -ENOTCONN after the peer has
 * gone; -ENOBUFS when the queue is full, or another -errno of send(2) (the
 * handler hears of the end later, from the loop); -EINVAL when the message
 * can't be encoded; -EPROTO while the dialect is unknown. */
int conn_send(struct conn *c, const struct msg *m) MUSTCHECK;

const struct msg_format *conn_format(const struct conn *c);
/* The peer's credentials when it connected (SO_PEERCRED). */
pid_t conn_pid(const struct conn *c);
uid_t conn_uid(const struct conn *c);
gid_t conn_gid(const struct conn *c);
/* Whether the peer is a member of this group (SO_PEERGROUPS, and its gid). */
bool conn_in_group(const struct conn *c, gid_t gid);
/* A number that no other conn of this process had; for logs. */
uint64_t conn_serial(const struct conn *c);
/* Bytes queued and not yet taken by the kernel, some bookkeeping included. */
size_t conn_queued(const struct conn *c);
/* Stops and resumes reading (for back-pressure). */
void conn_pause(struct conn *c, bool pause);

/* A listening, non-blocking SEQPACKET socket at path with this mode: 0 and *fd
 * (the caller's), or -errno: -EADDRINUSE when a server is there; a stale socket
 * is replaced; -EEXIST for a file of another kind; -ENAMETOOLONG. Safe against
 * others that do the same; makes the file PATH.lock and leaves it. At the end
 * just close the socket: removing the path could remove a successor's. */
int conn_listen(const char *path, mode_t mode, int *fd) MUSTCHECK;
/* A non-blocking socket connected to path: 0 and *fd, or -errno. */
int conn_connect(const char *path, int *fd) MUSTCHECK;

#endif
