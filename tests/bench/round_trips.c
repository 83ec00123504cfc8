/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "path_talk.h"

#define PORT	   5002
#define SIZE	   64
#define TIMEOUT_MS 100
#define PAUSE_NS   2000000

struct echo {
	int fd;
	atomic_bool end;
};

static void *
echo(void *arg)
{
	struct echo *e = arg;
	struct sockaddr_storage peer;
	struct sockaddr *to = (struct sockaddr *)&peer;
	socklen_t len;
	uint8_t buf[SIZE];
	ssize_t n;

	path_pin(PATH_RECEIVER);
	while (!atomic_load(&e->end)) {
		len = sizeof(peer);
		n = recvfrom(e->fd, buf, sizeof(buf), 0, to, &len);
		if (n > 0)
			(void)!sendto(e->fd, buf, (size_t)n, 0, to, len);
	}
	return NULL;
}

/* False when it is lost. */
static bool
one(int fd, uint64_t number, double *us)
{
	uint64_t buf[SIZE / sizeof(uint64_t)] = {number};
	uint64_t since = clock_ns();

	if (send(fd, buf, sizeof(buf), MSG_NOSIGNAL) < 0)
		return false;
	do
		if (recv(fd, buf, sizeof(buf), 0) < 0)
			return false;
	while (buf[0] != number);
	*us = (double)(clock_ns() - since) / 1e3;
	return true;
}

static int
compare(const void *a, const void *b)
{
	double x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

static int
measure(int fd, unsigned n, struct round_trips *out)
{
	const struct timespec pause = {0, PAUSE_NS};
	double *us = calloc(n, sizeof(*us));
	unsigned i, got = 0;

	if (!us)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		got += one(fd, i, &us[got]);
		nanosleep(&pause, NULL); /* so that all is idle again */
	}
	qsort(us, got, sizeof(*us), compare);
	out->lost = n - got;
	if (out->lost <= n / 10) {
		out->median_us = us[got / 2];
		out->p99_us = us[got * 99 / 100];
	}
	free(us);
	return out->lost <= n / 10 ? 0 : -ETIMEDOUT;
}

int
round_trips(const struct path *path, unsigned n, struct round_trips *out)
{
	uint8_t ver = path->addr.ver;
	struct echo e = {.end = false};
	pthread_t thread;
	int fd, err;

	err = path_listen(path->to, ver, SOCK_DGRAM, PORT, TIMEOUT_MS, &e.fd);
	if (err)
		return err;
	err = path_socket(path->from, ver, SOCK_DGRAM, TIMEOUT_MS, &fd);
	if (err)
		goto out;
	err = path_connect(fd, &path->addr, PORT);
	if (!err)
		err = -pthread_create(&thread, NULL, echo, &e);
	if (!err) {
		path_pin(PATH_SENDER);
		prctl(PR_SET_TIMERSLACK, 1);
		err = measure(fd, n, out);
		atomic_store(&e.end, true);
		pthread_join(thread, NULL);
	}
	close(fd);
out:
	close(e.fd);
	return err;
}
