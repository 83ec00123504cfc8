/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "clock.h"
#include "path_talk.h"

#define PORT	   5003
#define TIMEOUT_MS 200
#define CLIENTS	   8

struct crowd {
	const struct path *path;
	int listener;
	uint64_t end_ns; /* clients stop */
	atomic_bool end; /* the server stops */
	atomic_ullong made;
	atomic_int err; /* of a client */
};

static void
reset(int fd)
{
	const struct linger now = {1, 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

static void *
serve(void *arg)
{
	struct crowd *c = arg;
	int fd;

	path_pin(PATH_RECEIVER);
	while (!atomic_load(&c->end)) {
		fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			reset(fd);
	}
	return NULL;
}

static void *
connect_often(void *arg)
{
	const struct timeval patience = {0, TIMEOUT_MS * 1000};
	struct crowd *c = arg;
	int domain = c->path->addr.ver == 4 ? AF_INET : AF_INET6;
	int fd, err = path_enter(c->path->from);

	path_pin(PATH_SENDER);
	while (!err && clock_ns() < c->end_ns) {
		fd = socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0) {
			err = -errno;
			break;
		}
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience,
			sizeof(patience));
		/* One that fails does not count. */
		if (!path_connect(fd, &c->path->addr, PORT))
			atomic_fetch_add(&c->made, 1);
		reset(fd);
	}
	if (err)
		atomic_store(&c->err, err);
	return NULL;
}

static int
run_clients(struct crowd *c, double seconds, double *rate)
{
	pthread_t clients[CLIENTS];
	uint64_t start = clock_ns();
	unsigned i, n;

	c->end_ns = start + (uint64_t)(seconds * 1e9);
	for (n = 0; n < CLIENTS; n++)
		if (pthread_create(&clients[n], NULL, connect_often, c))
			break;
	for (i = 0; i < n; i++)
		pthread_join(clients[i], NULL);
	*rate = (double)atomic_load(&c->made) /
		((double)(clock_ns() - start) / 1e9);
	if (n < CLIENTS)
		return -EAGAIN;
	return *rate > 0 ? atomic_load(&c->err) : -EHOSTUNREACH;
}

int
connections(const struct path *path, double seconds, double *rate)
{
	struct crowd c = {.path = path};
	pthread_t server;
	int err = path_listen(path->to, path->addr.ver, SOCK_STREAM, PORT,
		TIMEOUT_MS, &c.listener);

	if (err)
		return err;
	err = -pthread_create(&server, NULL, serve, &c);
	if (!err) {
		err = run_clients(&c, seconds, rate);
		atomic_store(&c.end, true);
		pthread_join(server, NULL);
	}
	close(c.listener);
	return err;
}
