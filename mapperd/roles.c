/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names become numbers once, at start and at a reload: no client waits for a
 * directory service. */
#include "mapperd/roles.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "libipref/log.h"

static int
add_user(struct role_members *m, uid_t uid)
{
	uid_t *users = reallocarray(m->users, m->n_users + 1, sizeof(*users));

	if (!users)
		return -ENOMEM;
	m->users = users;
	m->users[m->n_users++] = uid;
	return 0;
}

static int
add_group(struct role_members *m, gid_t gid)
{
	gid_t *groups =
		reallocarray(m->groups, m->n_groups + 1, sizeof(*groups));

	if (!groups)
		return -ENOMEM;
	m->groups = groups;
	m->groups[m->n_groups++] = gid;
	return 0;
}

/* A user, or a group with @ in front: -ENOENT when there is none. */
static int
add_name(struct role_members *m, const char *name)
{
	const struct passwd *user;
	const struct group *group;

	if (*name == '@') {
		group = getgrnam(name + 1);
		return group ? add_group(m, group->gr_gid) : -ENOENT;
	}
	user = getpwnam(name);
	return user ? add_user(m, user->pw_uid) : -ENOENT;
}

static int
add_names(struct role_members *m, const char *setting,
	const struct conf_list *names)
{
	size_t i;
	int err = 0;

	for (i = 0; i < names->n && !err; i++) {
		err = add_name(m, names->v[i]);
		if (err == -ENOENT)
			log_err("%s: there is no %s %s", setting,
				*names->v[i] == '@' ? "group" : "user",
				names->v[i] + (*names->v[i] == '@'));
		else if (err)
			log_err_errno(-err, "%s", setting);
	}
	return err;
}

/* Those that the setting names, or else the socket's group. */
static int
names_or_group(struct role_members *m, const char *setting,
	const struct conf_list *names, gid_t group)
{
	return names->n ? add_names(m, setting, names) : add_group(m, group);
}

static int
names_or_gateway(struct role_members *m, const char *setting,
	const struct conf_list *names)
{
	int err = names->n ? add_names(m, setting, names)
			   : add_name(m, ROLES_GATEWAY_USER);

	return err == -ENOENT && !names->n ? 0 : err;
}

int
roles_init(struct roles *r, const struct mapperd_conf *conf, gid_t group)
{
	int err;

	*r = (struct roles){.own = geteuid()};
	err = names_or_group(
		&r->resolve, "resolve-users", &conf->resolve_users, group);
	if (!err)
		err = names_or_group(&r->publish, "publish-users",
			&conf->publish_users, group);
	if (!err)
		err = names_or_gateway(
			&r->feed, "feed-users", &conf->feed_users);
	if (err)
		roles_fini(r);
	return err;
}

void
roles_fini(struct roles *r)
{
	struct role_members *all[] = {&r->resolve, &r->publish, &r->feed};
	size_t i;

	for (i = 0; i < ARRAY_LEN(all); i++) {
		free(all[i]->users);
		free(all[i]->groups);
		*all[i] = (struct role_members){0};
	}
}

static bool
is_member(const struct role_members *m, const struct role_client *c)
{
	size_t i;

	for (i = 0; i < m->n_users; i++)
		if (m->users[i] == c->uid)
			return true;
	for (i = 0; i < m->n_groups; i++)
		if (c->in_group(m->groups[i], c->arg))
			return true;
	return false;
}

unsigned
roles_of(const struct roles *r, const struct role_client *c)
{
	unsigned roles = 0;

	if (c->uid == 0 || c->uid == r->own)
		return ROLE_ALL;
	if (is_member(&r->resolve, c))
		roles |= ROLE_RESOLVE;
	if (is_member(&r->publish, c))
		roles |= ROLE_PUBLISH;
	if (is_member(&r->feed, c))
		roles |= ROLE_FEED | ROLE_RESOLVE;
	return roles;
}
