/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's state: what its parts share; main.c owns it. */
#ifndef MAPPERD_MAPPERD_H
#define MAPPERD_MAPPERD_H

#include "libipref/daemon.h"
#include "mapperd/hostsfile.h"
#include "mapperd/listen.h"
#include "mapperd/server.h"
#include "mapperd/settings.h"

struct mapperd {
	struct server *server;
	struct store *store;
	struct hostsfile *hosts;
	struct listen *listen;
	struct watch *watch; /* who watches; NULL: not yet */
	bool made_socket;    /* it was not handed over by systemd */
	gid_t group;	     /* of the mapper socket */
	struct daemon *daemon;
};

/* Adds our pages to the control socket, once everything runs: members of
 * /status, /metrics, and those of pages.h. */
void status_add(struct mapperd *d);

#endif
