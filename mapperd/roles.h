/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may do what at the mapper socket.
 *
 * Root and our own user may do everything. Members of the socket's group may
 * ask and publish, and the gateway's user may follow the mappings, unless the
 * settings name who may instead: users by name, groups as @NAME. Who follows
 * may ask, too. The socket's mode stands before all this: who is not in its
 * group can't connect.
 */
#ifndef MAPPERD_ROLES_H
#define MAPPERD_ROLES_H

#include <sys/types.h>

#include "mapperd/settings.h"

/* Of the packages; nobody where there is no such user. */
#define ROLES_GATEWAY_USER "ipref-gw"

struct role_members {
	uid_t *users;  /* owned */
	gid_t *groups; /* owned */
	size_t n_users, n_groups;
};

struct roles {
	uid_t own; /* the daemon's user */
	struct role_members resolve, publish, feed;
};

/* A client's credentials. */
struct role_client {
	uid_t uid;
	bool (*in_group)(gid_t gid, const void *arg);
	const void *arg;
};

/* From the settings; group is the socket's. 0, or -ENOENT (no such user or
 * group) or -ENOMEM: logged, and nothing has to be freed. */
int roles_init(struct roles *r, const struct mapperd_conf *conf,
	gid_t group) MUSTCHECK;
void roles_fini(struct roles *r);
/* ROLE_* of server.h. */
unsigned roles_of(const struct roles *r, const struct role_client *c);

#endif
