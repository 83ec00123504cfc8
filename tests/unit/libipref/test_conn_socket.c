/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Listening at a path and connecting to it: stale names, rights, races. */
#include "libipref/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/run.h"

#define RACERS 8
#define ROUNDS 20

struct place {
	char dir[64], path[96], lock[112];
};

static void
place_init(struct place *pl)
{
	strcpy(pl->dir, "/tmp/ipref-conn-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(pl->dir));
	snprintf(pl->path, sizeof(pl->path), "%s/m.sock", pl->dir);
	snprintf(pl->lock, sizeof(pl->lock), "%s.lock", pl->path);
}

static void
place_fini(struct place *pl)
{
	(void)unlink(pl->path);
	(void)unlink(pl->lock);
	ck_assert_int_eq(rmdir(pl->dir), 0);
}

static unsigned
mode_of(const char *path)
{
	struct stat st;

	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert(S_ISSOCK(st.st_mode));
	return st.st_mode & 07777;
}

START_TEST(test_listen)
{
	struct place pl;
	int fd, fd2, client, peer, type;
	socklen_t len = sizeof(type);

	place_init(&pl);
	umask(077);
	ck_assert_int_eq(conn_connect(pl.path, &client), -ENOENT);
	ck_assert_int_eq(conn_listen(pl.path, 0660, &fd), 0);
	ck_assert_uint_eq(mode_of(pl.path), 0660);
	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len), 0);
	ck_assert_int_eq(type, SOCK_SEQPACKET);
	ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	ck_assert_int_eq(conn_connect(pl.path, &client), 0);
	ck_assert(fcntl(client, F_GETFL) & O_NONBLOCK);
	ck_assert(fcntl(client, F_GETFD) & FD_CLOEXEC);
	peer = accept(fd, NULL, NULL);
	ck_assert_int_ge(peer, 0);
	/* A second server leaves the first one's socket alone. */
	ck_assert_int_eq(conn_listen(pl.path, 0600, &fd2), -EADDRINUSE);
	ck_assert_uint_eq(mode_of(pl.path), 0660);
	close(client);
	close(peer);
	ck_assert_int_eq(conn_connect(pl.path, &client), 0);
	close(client);
	close(fd);
	place_fini(&pl);
}
END_TEST

START_TEST(test_stale)
{
	struct place pl;
	int fd, client;

	place_init(&pl);
	ck_assert_int_eq(conn_listen(pl.path, 0660, &fd), 0);
	close(fd); /* as after kill -9: the name stays */
	ck_assert_int_eq(conn_connect(pl.path, &client), -ECONNREFUSED);
	ck_assert_int_eq(conn_listen(pl.path, 0600, &fd), 0);
	ck_assert_uint_eq(mode_of(pl.path), 0600);
	ck_assert_int_eq(conn_connect(pl.path, &client), 0);
	close(client);
	close(fd);
	place_fini(&pl);
}
END_TEST

/* A server whose backlog is full, or of another type, is there all the same. */
START_TEST(test_busy)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	static const int types[] = {SOCK_SEQPACKET, SOCK_STREAM};
	int fd, fd2, waiting[8], n, rc;
	struct place pl;
	size_t i;

	for (i = 0; i < ARRAY_LEN(types); i++) {
		place_init(&pl);
		strcpy(sun.sun_path, pl.path);
		fd = socket(AF_UNIX, types[i], 0);
		ck_assert_int_eq(
			bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
		ck_assert_int_eq(listen(fd, 1), 0);
		for (n = 0; n < 8; n++)
			if ((rc = conn_connect(pl.path, &waiting[n])) < 0)
				break;
		ck_assert_int_eq(rc, i == 0 ? -EAGAIN : -EPROTOTYPE);
		ck_assert_int_eq(conn_listen(pl.path, 0600, &fd2), -EADDRINUSE);
		while (n-- > 0)
			close(waiting[n]);
		close(fd);
		place_fini(&pl);
	}
}
END_TEST

START_TEST(test_not_a_socket)
{
	struct place pl;
	int fd, file;

	place_init(&pl);
	file = open(pl.path, O_CREAT | O_WRONLY, 0600);
	ck_assert_int_eq(write(file, "x", 1), 1);
	close(file);
	ck_assert_int_eq(conn_listen(pl.path, 0600, &fd), -EEXIST);
	ck_assert_int_eq(unlink(pl.path), 0);
	ck_assert_int_eq(symlink("elsewhere", pl.path), 0);
	ck_assert_int_eq(conn_listen(pl.path, 0600, &fd), -EEXIST);
	place_fini(&pl);
}
END_TEST

START_TEST(test_paths)
{
	char dir[200], path[300];
	struct sockaddr_un sun;
	size_t n = sizeof(sun.sun_path) - 1;
	struct place pl;
	int fd, client;

	place_init(&pl);
	/* The longest that fits, and one more. */
	snprintf(dir, sizeof(dir), "%s/%0*d", pl.dir,
		(int)(n - strlen(pl.dir) - 1), 0);
	ck_assert_uint_eq(strlen(dir), n);
	ck_assert_int_eq(conn_listen(dir, 0600, &fd), 0);
	ck_assert_int_eq(conn_connect(dir, &client), 0);
	close(client);
	close(fd);
	snprintf(path, sizeof(path), "%s.lock", dir);
	ck_assert_int_eq(unlink(dir), 0);
	ck_assert_int_eq(unlink(path), 0);
	strcat(dir, "0");
	ck_assert_int_eq(conn_listen(dir, 0600, &fd), -ENAMETOOLONG);
	ck_assert_int_eq(conn_connect(dir, &client), -ENAMETOOLONG);
	ck_assert_int_eq(conn_listen("", 0600, &fd), -ENOENT);
	snprintf(path, sizeof(path), "%s/no/m.sock", pl.dir);
	ck_assert_int_eq(conn_listen(path, 0600, &fd), -ENOENT);
	ck_assert_int_eq(conn_connect(path, &client), -ENOENT);
	place_fini(&pl);
}
END_TEST

/* Starts to listen when go is closed, tells how that went, and keeps its
 * socket until end is closed. */
static void
racer(const char *path, int go, int result, int end)
{
	char c;
	int fd, rc;

	(void)!read(go, &c, 1);
	rc = conn_listen(path, 0600, &fd);
	c = rc == 0 ? 'y' : rc == -EADDRINUSE ? 'n' : '?';
	(void)!write(result, &c, 1);
	(void)!read(end, &c, 1);
	_exit(0);
}

static void
race(const char *path)
{
	int go[2], result[2], end[2], i, client, winners = 0, status;
	char c;

	ck_assert_int_eq(pipe(go) | pipe(result) | pipe(end), 0);
	for (i = 0; i < RACERS; i++) {
		pid_t pid = fork();

		ck_assert_int_ge(pid, 0);
		if (pid == 0) {
			close(go[1]);
			close(end[1]);
			racer(path, go[0], result[1], end[0]);
		}
	}
	close(go[1]);
	for (i = 0; i < RACERS; i++) {
		ck_assert_int_eq(read(result[0], &c, 1), 1);
		ck_assert(c == 'y' || c == 'n');
		winners += c == 'y';
	}
	ck_assert_int_eq(winners, 1);
	/* The name leads to the winner. */
	ck_assert_int_eq(conn_connect(path, &client), 0);
	close(client);
	close(end[1]);
	for (i = 0; i < RACERS; i++)
		ck_assert_int_gt(wait(&status), 0);
	close(go[0]);
	close(end[0]);
	close(result[0]);
	close(result[1]);
}

/* Of several servers that find the same stale name one wins. */
START_TEST(test_race)
{
	struct place pl;
	int fd, i;

	place_init(&pl);
	ck_assert_int_eq(conn_listen(pl.path, 0600, &fd), 0);
	close(fd);
	for (i = 0; i < ROUNDS; i++)
		race(pl.path);
	place_fini(&pl);
}
END_TEST

RUN_TESTS("conn_socket", test_listen, test_stale, test_busy, test_not_a_socket,
	test_paths, test_race)
