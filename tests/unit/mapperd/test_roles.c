/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who may do what: each kind of user with each command, by default and with
 * settings that name others. */
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "mapperd/roles.h"
#include "rig.h"
#include "tests/unit/run.h"

#define SOCKET_GROUP 54321 /* nobody's */

static bool
in_group(gid_t gid, const void *arg)
{
	return gid == *(const gid_t *)arg;
}

static unsigned
roles_for(const struct roles *r, uid_t uid, gid_t gid)
{
	const struct role_client c = {uid, in_group, &gid};

	return roles_of(r, &c);
}

static uid_t
uid_of(const char *name)
{
	const struct passwd *user = getpwnam(name);

	ck_assert_msg(user != NULL, "no user %s", name);
	return user->pw_uid;
}

static gid_t
gid_of(const char *name)
{
	const struct group *group = getgrnam(name);

	ck_assert_msg(group != NULL, "no group %s", name);
	return group->gr_gid;
}

#define STRANGER 54322
#define ASK	 ROLE_RESOLVE
#define PUBLISH	 ROLE_PUBLISH
#define FOLLOW	 ROLE_FEED

START_TEST(test_defaults)
{
	struct mapperd_conf conf = {0};
	const struct passwd *gateway = getpwnam(ROLES_GATEWAY_USER);
	struct roles r;

	ck_assert_int_eq(roles_init(&r, &conf, SOCKET_GROUP), 0);
	ck_assert_uint_eq(roles_for(&r, 0, STRANGER), ROLE_ALL);
	ck_assert_uint_eq(roles_for(&r, geteuid(), STRANGER), ROLE_ALL);
	ck_assert_uint_eq(roles_for(&r, STRANGER, SOCKET_GROUP), ASK | PUBLISH);
	ck_assert_uint_eq(roles_for(&r, STRANGER, STRANGER), 0);
	if (gateway)
		ck_assert_uint_eq(
			roles_for(&r, gateway->pw_uid, SOCKET_GROUP), ROLE_ALL);
	roles_fini(&r);
}
END_TEST

START_TEST(test_named)
{
	char *ask[] = {"daemon"}, *publish[] = {"@bin", "sys"},
	     *follow[] = {"nobody"};
	struct mapperd_conf conf = {
		.resolve_users = {ask, 1},
		.publish_users = {publish, 2},
		.feed_users = {follow, 1},
	};
	struct roles r;

	ck_assert_int_eq(roles_init(&r, &conf, SOCKET_GROUP), 0);
	ck_assert_uint_eq(roles_for(&r, 0, STRANGER), ROLE_ALL);
	ck_assert_uint_eq(roles_for(&r, STRANGER, SOCKET_GROUP), 0);
	ck_assert_uint_eq(roles_for(&r, uid_of("daemon"), SOCKET_GROUP), ASK);
	ck_assert_uint_eq(roles_for(&r, uid_of("sys"), SOCKET_GROUP), PUBLISH);
	ck_assert_uint_eq(roles_for(&r, STRANGER, gid_of("bin")), PUBLISH);
	ck_assert_uint_eq(
		roles_for(&r, uid_of("daemon"), gid_of("bin")), ASK | PUBLISH);
	/* A follower sees all, so it may ask. */
	ck_assert_uint_eq(
		roles_for(&r, uid_of("nobody"), SOCKET_GROUP), FOLLOW | ASK);
	roles_fini(&r);
}
END_TEST

START_TEST(test_nobody_of_that_name)
{
	char *names[] = {"daemon", "no-such-user-here"},
	     *groups[] = {"@no-such-group-here"};
	struct mapperd_conf conf = {.feed_users = {names, 2}};
	struct roles r;

	ck_assert_int_eq(roles_init(&r, &conf, SOCKET_GROUP), -ENOENT);
	conf.feed_users = (struct conf_list){NULL, 0};
	conf.resolve_users = (struct conf_list){groups, 1};
	ck_assert_int_eq(roles_init(&r, &conf, SOCKET_GROUP), -ENOENT);
	conf.resolve_users = (struct conf_list){NULL, 0};
	conf.publish_users = (struct conf_list){names, 2};
	ck_assert_int_eq(roles_init(&r, &conf, SOCKET_GROUP), -ENOENT);
}
END_TEST

/* What each command wants, apart from the server's own table. Everything that
 * is not here is for nobody. */
static unsigned
wanted_role(uint8_t cmd)
{
	switch (cmd) {
	case MSG_MC_GET_EA:
	case MSG_LOOKUP_EA:
		return ASK;
	case MSG_MC_HOST_DATA:
	case MSG_MC_HOST_DATA_HASH:
		return PUBLISH;
	default:
		return FOLLOW;
	}
}

/* A request with items that its command can have, as far as there is one. */
static struct msg
request(uint8_t cmd, const struct arec *rec, const struct source *so)
{
	struct msg m = {.mode = MSG_REQ, .cmd = cmd, .id = 9, .count = 1};

	switch (cmd) {
	case MSG_MC_HOST_DATA:
	case MSG_MC_HOST_DATA_HASH:
		msg_set_source(&m, so);
		break;
	case MSG_FEED_START: /* of other settings: one answer, refused */
		m.profile = (struct msg_profile){prefix_of("10.0.0.0/12"),
			addr_of("192.0.2.1"), ref_from_u64(1)};
		break;
	default:
		m.arecs = rec;
		m.n = 1;
	}
	return m;
}

START_TEST(test_commands)
{
	static const uint8_t cmds[] = {MSG_MC_GET_EA, MSG_LOOKUP_EA,
		MSG_MC_HOST_DATA, MSG_MC_HOST_DATA_HASH, MSG_GET_EA,
		MSG_GET_REF, MSG_FEED_USED, MSG_FEED_START, MSG_FEED_PROVED,
		MSG_FEED_HOLD};
	static struct rig r;
	struct source so = {"int.test", "a.test"};
	struct arec rec = {.ea = addr_of("0.0.0.0"),
		.ip = addr_of("192.168.7.7"),
		.gw = addr_of("203.0.113.9"),
		.ref = ref_from_u64(5)};
	unsigned roles;
	struct rig_client *c;
	struct msg m;
	size_t i;

	for (roles = 0; roles <= ROLE_ALL; roles++) {
		rig_init(&r, "10.240.0.0/12", "192.0.2.1");
		c = rig_join(&r, roles);
		for (i = 0; i < ARRAY_LEN(cmds); i++) {
			uint64_t before = server_stats(r.server)->forbidden;
			bool allowed = roles & wanted_role(cmds[i]);

			m = request(cmds[i], &rec, &so);
			m = rig_ask(c, &m);
			ck_assert_msg((server_stats(r.server)->forbidden ==
					      before) == allowed,
				"%s with roles %u", msg_cmd_name(cmds[i]),
				roles);
			if (!allowed)
				ck_assert_int_eq(m.mode, MSG_NACK);
		}
		rig_fini(&r);
	}
}
END_TEST

RUN_TESTS("roles", test_defaults, test_named, test_nobody_of_that_name,
	test_commands)
