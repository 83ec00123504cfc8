/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The skeleton that every daemon stands in: settings, log, loop, signals,
 * control socket, readiness, orderly stop.
 *
 * A daemon is a struct daemon_spec: its settings, and its parts in the order
 * in which they start; they are stopped in reverse, those that had started.
 * main() is one call of daemon_main(). SIGTERM and SIGINT stop (exit code 0),
 * SIGHUP reloads, SIGPIPE is ignored. The control socket is <control-dir>/
 * <program>.ctl; it is there from before the first part starts until the last
 * one has stopped, and answers while the loop runs.
 */
#ifndef LIBIPREF_DAEMON_H
#define LIBIPREF_DAEMON_H

#include "libipref/base.h"
#include "libipref/common.h"
#include "libipref/conf.h"

struct event_base;
struct ctl;

/* What the skeleton lends to the parts; valid from start to stop. */
struct daemon {
	struct event_base *base;
	struct conf *conf;
	struct ctl *ctl;   /* parts add their pages to it */
	void *settings;	   /* of the spec; begins with struct common_conf */
	void *state;	   /* the daemon's own */
	uint64_t start_ms; /* now_ms() */
	const char *name;
};

struct daemon_part {
	const char *name; /* for errors: "tun", "store" */
	/* 0 or -errno; the part logs the reason itself, with its subject. */
	int (*start)(struct daemon *d);
	/* May be NULL. Not called when its own start failed: start cleans up
	 * after itself then. */
	void (*stop)(struct daemon *d);
};

struct daemon_spec {
	const struct conf_spec *conf;
	void *settings; /* storage of conf->size bytes */
	void *state;	/* the daemon's state struct, zeroed */
	const struct daemon_part *parts;
	size_t n_parts;
	/* After a successful conf_reload(); may be NULL. */
	void (*reload)(struct daemon *d);
	/* Between reading the settings and the first part, when the log works
	 * and base and ctl are not there yet (evthread_use_pthreads() belongs
	 * here): >= 0 is an exit code, at once (gwd -devmode); -1 goes on. May
	 * be NULL. */
	int (*early)(struct daemon *d);
};

/* Returns the exit code: 0 after an orderly stop, 1 when a part did not start,
 * 2 for wrong settings. Says READY=1, STOPPING=1, RELOADING=1 to systemd when
 * NOTIFY_SOCKET is set (sd_notify(3)). */
int daemon_main(const struct daemon_spec *spec, int argc, char **argv);

/* Ends the loop as SIGTERM would, with this exit code (the first one counts);
 * out of a part's start, too: the parts behind it are not started then. For
 * the loop's thread. */
void daemon_stop(struct daemon *d, int exit_code);
/* A descriptor that systemd handed over under this name (FileDescriptorName=,
 * sd_listen_fds_with_names(3)): the caller's from now on; -1: none. Several of
 * one name are given out one after the other. Before threads are started. */
int daemon_listen_fd(const char *name);

#endif
