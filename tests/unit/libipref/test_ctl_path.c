/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the control socket lies: what is there before, meanwhile and after. */
#include "tests/unit/libipref/ctl_server.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* What lies at the path decides. */
static int
try_new(const char *path, struct ctl **out, const char *want_said)
{
	struct event_base *base = event_base_new();
	struct capture c;
	char *said;
	int rc;

	*out = (struct ctl *)base; /* has to be overwritten */
	capture_start(&c, STDERR_FILENO);
	rc = ctl_new(out, base, path, "other");
	said = capture_end(&c);
	ck_assert_ptr_nonnull(strstr(said, want_said));
	if (rc)
		ck_assert_ptr_null(*out);
	ctl_free(*out);
	event_base_free(base);
	free(said);
	return rc;
}

START_TEST(test_live_socket)
{
	struct server s;
	struct ctl *ctl;
	struct stat st;

	server_start(&s);
	ck_assert_int_eq(stat(s.path, &st), 0);
	ck_assert(S_ISSOCK(st.st_mode));
	ck_assert_uint_eq(st.st_mode & 0777, 0660);
	ck_assert_int_eq(
		try_new(s.path, &ctl, "Address already in use"), -EADDRINUSE);
	free(get(&s, "/status", 200));
	server_stop(&s);
}
END_TEST

START_TEST(test_other_paths)
{
	char dir[64] = "/tmp/ipref-ctl-XXXXXX", path[128], long_path[256];
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct ctl *ctl;
	int fd;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	/* Left behind by a server that was killed. */
	snprintf(path, sizeof(path), "%s/x.ctl", dir);
	strcpy(sun.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	close(fd);
	ck_assert_int_eq(access(path, F_OK), 0);
	ck_assert_int_eq(try_new(path, &ctl, ""), 0);
	ck_assert_int_eq(access(path, F_OK), -1);
	/* Something else is left alone. */
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(try_new(path, &ctl, "x.ctl: Socket op"), -ENOTSOCK);
	ck_assert_int_eq(unlink(path), 0);
	/* No directory; too long. */
	snprintf(path, sizeof(path), "%s/none/x.ctl", dir);
	ck_assert_int_eq(try_new(path, &ctl, "x.ctl: No such file"), -ENOENT);
	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	ck_assert_int_eq(try_new(long_path, &ctl, "too long"), -ENAMETOOLONG);
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

/* Another's socket at the path is not removed at the end. */
START_TEST(test_path_taken_over)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct server s;
	char old[128];
	int fd;

	server_start(&s);
	snprintf(old, sizeof(old), "%s.old", s.path);
	ck_assert_int_eq(rename(s.path, old), 0);
	strcpy(sun.sun_path, s.path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	server_end(&s);
	ck_assert_int_eq(unlink(s.path), 0);
	ck_assert_int_eq(unlink(old), 0);
	ck_assert_int_eq(rmdir(s.dir), 0);
	close(fd);
}
END_TEST

RUN_TESTS("ctl_path", test_live_socket, test_other_paths, test_path_taken_over)
