/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Making the sockets that a conn takes: listening at a path, connecting to it.
 *
 * A server that was killed leaves its socket's name behind, and nobody else may
 * bind it. Whether somebody listens there is found out by connecting. Two
 * servers that start at once would both find a dead name, and the slower one
 * would remove the quicker one's socket: so all this is done under a lock on
 * the file PATH.lock, which stays (removing it would bring the race back).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "libipref/conn.h"

#define LOCK_SUFFIX ".lock"

static int
set_path(struct sockaddr_un *sun, const char *path)
{
	size_t len = strlen(path);

	if (len == 0)
		return -ENOENT;
	if (len >= sizeof(sun->sun_path))
		return -ENAMETOOLONG;
	*sun = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(sun->sun_path, path, len);
	return 0;
}

static int
new_socket(void)
{
	int fd = socket(
		AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? -errno : fd;
}

int
conn_connect(const char *path, int *fd)
{
	struct sockaddr_un sun;
	int s, rc = set_path(&sun, path);

	if (rc < 0)
		return rc;
	s = new_socket();
	if (s < 0)
		return s;
	if (connect(s, (struct sockaddr *)&sun, sizeof(sun)) < 0) {
		rc = -errno;
		close(s);
		return rc;
	}
	*fd = s;
	return 0;
}

/* Removes a socket that nobody listens on. 0: the path is free now. */
static int
remove_stale(const char *path)
{
	struct stat st;
	int fd, rc;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	rc = conn_connect(path, &fd);
	if (rc == 0)
		close(fd);
	if (rc == -ENOENT)
		return 0;
	/* A full backlog (EAGAIN), another type (EPROTOTYPE), or no right to
	 * ask (EACCES): somebody may well be there. */
	if (rc != -ECONNREFUSED)
		return rc == -EACCES ? rc : -EADDRINUSE;
	return unlink(path) < 0 ? -errno : 0;
}

/* The mode is set before listen(): nobody can connect earlier. */
static int
bind_and_listen(const char *path, mode_t mode, int *fd)
{
	struct sockaddr_un sun;
	int s, rc = set_path(&sun, path);

	if (rc < 0)
		return rc;
	s = new_socket();
	if (s < 0)
		return s;
	if (bind(s, (struct sockaddr *)&sun, sizeof(sun)) < 0) {
		rc = -errno;
		close(s);
		return rc;
	}
	if (chmod(path, mode) < 0 || listen(s, SOMAXCONN) < 0) {
		rc = -errno;
		unlink(path);
		close(s);
		return rc;
	}
	*fd = s;
	return 0;
}

int
conn_listen(const char *path, mode_t mode, int *fd)
{
	char lock[sizeof(((struct sockaddr_un *)0)->sun_path) +
		  sizeof(LOCK_SUFFIX)];
	struct sockaddr_un sun;
	int lock_fd, rc = set_path(&sun, path);

	if (rc < 0)
		return rc;
	snprintf(lock, sizeof(lock), "%s" LOCK_SUFFIX, path);
	lock_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock_fd < 0)
		return -errno;
	/* Held by others for the few calls below only. */
	do
		rc = flock(lock_fd, LOCK_EX) < 0 ? -errno : 0;
	while (rc == -EINTR);
	if (rc == 0)
		rc = remove_stale(path);
	if (rc == 0)
		rc = bind_and_listen(path, mode, fd);
	close(lock_fd);
	return rc;
}
