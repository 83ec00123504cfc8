/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mapperd: owns the mappings.
 *
 * Start order: the store (everything known is in memory then), the hosts file,
 * the socket; so whoever can connect is answered from all that is known. Undone
 * in reverse; the store is closed last but for what it hands back.
 */
#include <errno.h>
#include <grp.h>
#include <malloc.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libipref/conn.h"
#include "libipref/log.h"
#include "mapperd/pages.h"

/* From this size on memory comes from the kernel and goes back to it: tables
 * that have grown, and what only the start needs. */
#define OWN_MEMORY (256 << 10)
/* Changed entries kept for followers: two sets of 100,000 hosts. */
#define RING_MAX 262144

static uint64_t
clock_ms(void *arg)
{
	const struct mapperd *d = arg;

	/* The store tells the offset when it is open; until then nothing asks
	 * for times but the loading of batches. */
	return now_ms() + (uint64_t)(d->store ? d->store->clock_offset : 0);
}

static void
on_fatal(const char *why, void *arg)
{
	struct mapperd *d = arg;

	log_err("mapper: %s: ending, the next start recovers", why);
	daemon_stop(d->daemon, 1);
}

static void
on_feeding(void *arg)
{
	struct mapperd *d = arg;

	if (d->listen)
		listen_feeding(d->listen);
}

static void
on_published(uint64_t revision, const struct change *c, void *arg)
{
	const struct mapperd *d = arg;

	watch_published(d->watch, revision, c);
}

static void
stop_store(struct daemon *daemon)
{
	struct mapperd *d = daemon->state;

	mapper_stop(server_mapper(d->server));
	store_close(d->store);
	d->store = NULL;
	server_free(d->server);
	d->server = NULL;
	watch_free(d->watch);
	d->watch = NULL;
}

static int
start_store(struct daemon *daemon)
{
	const struct mapperd_conf *conf = daemon->settings;
	struct mapperd *d = daemon->state;
	const struct server_config cfg = {
		.mapper = settings_mapper(conf),
		.ring_max = RING_MAX,
		.now = clock_ms,
		.published = on_published,
		.feeding = on_feeding,
		.fatal = on_fatal,
		.arg = d,
	};
	struct store_hooks hooks;
	int err;

	d->daemon = daemon;
	d->server = server_new(&cfg);
	if (!d->server) {
		log_err("mapper: no memory");
		return -ENOMEM;
	}
	hooks = mapper_store_hooks(server_mapper(d->server));
	err = store_open(&d->store, conf->data, daemon->base, &hooks);
	if (err) {
		server_free(d->server);
		d->server = NULL;
		return err;
	}
	err = server_start(d->server, d->store);
	if (!err)
		err = mapper_start(server_mapper(d->server), d->store);
	if (err) {
		log_err_errno(-err, "mapper: can't start");
		stop_store(daemon);
	}
	malloc_trim(0); /* what only loading needed */
	return err;
}

static int
start_hosts(struct daemon *daemon)
{
	const struct mapperd_conf *conf = daemon->settings;
	struct mapper_config m = settings_mapper(conf);
	struct mapperd *d = daemon->state;

	d->hosts = hostsfile_new(
		daemon->base, conf->hosts, &m.rules, server_mapper(d->server));
	if (d->hosts)
		return 0;
	log_err_errno(errno, "%s: can't be watched", conf->hosts);
	return -ENOMEM;
}

static void
stop_hosts(struct daemon *daemon)
{
	struct mapperd *d = daemon->state;

	hostsfile_free(d->hosts);
	d->hosts = NULL;
}

/* The group that the socket is to have; 0 or -errno, logged. */
static int
find_group(const struct mapperd_conf *conf, gid_t *gid)
{
	const struct group *g;

	*gid = getegid();
	if (!conf->socket_group)
		return 0;
	errno = 0;
	g = getgrnam(conf->socket_group);
	if (g) {
		*gid = g->gr_gid;
		return 0;
	}
	log_err("socket-group: there is no group %s", conf->socket_group);
	return errno ? -errno : -ENOENT;
}

/* systemd's socket, whose group then counts, or one of our own. */
static int
open_socket(const struct mapperd_conf *conf, int *fd, gid_t *gid, bool *made)
{
	const char *path = conf->common.mapper_socket;
	struct stat st;
	int err = find_group(conf, gid);

	if (err)
		return err;
	*fd = daemon_listen_fd("mapper");
	if (*fd >= 0) {
		if (!conf->socket_group && !stat(path, &st))
			*gid = st.st_gid;
		return 0;
	}
	err = conn_listen(path, 0660, fd);
	if (err) {
		log_err_errno(-err, "%s: can't listen", path);
		return err;
	}
	*made = true;
	if (conf->socket_group && chown(path, (uid_t)-1, *gid)) {
		err = -errno;
		log_err_errno(-err, "%s: can't be given to group %s", path,
			conf->socket_group);
	}
	return err;
}

static void
remove_socket(const struct mapperd *d)
{
	const struct mapperd_conf *conf = d->daemon->settings;

	if (d->made_socket && unlink(conf->common.mapper_socket))
		log_warn_errno(errno, "%s: can't be removed",
			conf->common.mapper_socket);
}

static int
start_listen(struct daemon *daemon)
{
	const struct mapperd_conf *conf = daemon->settings;
	struct mapperd *d = daemon->state;
	struct listen_config cfg = {
		.fmt = common_format(&conf->common),
		.server = d->server,
	};
	int fd = -1, err = open_socket(conf, &fd, &d->group, &d->made_socket);

	cfg.fmt.dialect = MSG_DIALECT_UNKNOWN;
	if (!err)
		err = roles_init(&cfg.roles, conf, d->group);
	if (err) {
		remove_socket(d);
		if (fd >= 0)
			close(fd);
		return err;
	}
	d->listen = listen_new(daemon->base, fd, &cfg);
	if (!d->listen) {
		log_err("server: no memory");
		remove_socket(d);
		return -ENOMEM;
	}
	d->watch = watch_new(d);
	status_add(d);
	return 0;
}

static void
stop_listen(struct daemon *daemon)
{
	struct mapperd *d = daemon->state;

	/* While we still listen nobody else can have put his there. */
	remove_socket(d);
	listen_stop(d->listen);
	server_stop(d->server);
	listen_free(d->listen);
	d->listen = NULL;
}

static void
reload(struct daemon *daemon)
{
	struct mapperd *d = daemon->state;
	struct roles roles;

	if (d->hosts)
		hostsfile_reload(d->hosts);
	if (!roles_init(&roles, daemon->settings, d->group))
		listen_set_roles(d->listen, &roles);
}

int
main(int argc, char **argv)
{
	static const struct daemon_part parts[] = {
		{"store", start_store, stop_store},
		{"hosts file", start_hosts, stop_hosts},
		{"socket", start_listen, stop_listen},
	};
	struct mapperd_conf settings;
	struct mapperd state = {0};
	struct conf_table tables[3];
	struct conf_spec conf;
	const struct daemon_spec spec = {
		.conf = &conf,
		.settings = &settings,
		.state = &state,
		.parts = parts,
		.n_parts = ARRAY_LEN(parts),
		.reload = reload,
	};

	mallopt(M_MMAP_THRESHOLD, OWN_MEMORY);
	mapperd_conf_spec(&conf, tables);
	return daemon_main(&spec, argc, argv);
}
