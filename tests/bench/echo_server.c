/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * echo_server SOCKET: the least that a server can do: takes one client after
 * the other, and sends each packet back as it came, with a blocking recv() and
 * a blocking send() for each.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libipref/conn.h"

static void
echo(int fd)
{
	uint8_t buf[4096];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		if (send(fd, buf, (size_t)n, MSG_NOSIGNAL) < 0)
			break;
	close(fd);
}

int
main(int argc, char **argv)
{
	int fd, client,
		err = argc == 2 ? conn_listen(argv[1], 0600, &fd) : -EINVAL;

	if (err || fcntl(fd, F_SETFL, 0) < 0) {
		fprintf(stderr, "echo_server SOCKET: %s\n", strerror(-err));
		return 1;
	}
	while ((client = accept(fd, NULL, NULL)) >= 0)
		echo(client);
	return 1;
}
