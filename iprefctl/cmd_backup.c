/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iprefctl backup: a copy of mapperd's database, as it is at one moment.
 *
 * It is written under another name beside FILE, made durable, and takes FILE's
 * place when it is whole: so FILE is always a whole backup, the old one or the
 * new one. What a signal or an error leaves behind is removed.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "iprefctl/iprefctl.h"

#define PATH_LEN  4096
#define MAKING_MS 3600000 /* the copy is made before its first byte comes */

static const char magic[] = "SQLite format 3"; /* with its NUL */

/* For the signal handler: what is to be removed; empty: nothing. */
static char unfinished[PATH_LEN];

struct backup {
	int fd;
	const char *name; /* for errors */
	uint64_t len;
	char head[sizeof(magic)];
};

static void
on_signal(int sig)
{
	if (*unfinished)
		(void)unlink(unfinished);
	(void)signal(sig, SIG_DFL);
	(void)raise(sig);
}

static void
catch_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
	struct sigaction act = {.sa_handler = on_signal};
	size_t i;

	for (i = 0; i < ARRAY_LEN(signals); i++)
		(void)sigaction(signals[i], &act, NULL);
}

static int
failed(const char *name, const char *what)
{
	iprefctl_error("%s: %s: %s", name, what, strerror(errno));
	return EXIT_ABSENT;
}

static int
on_piece(const char *p, size_t len, int status, void *arg)
{
	struct backup *b = arg;
	ssize_t n;
	size_t i;

	(void)status;
	for (i = 0; i < len && b->len + i < sizeof(b->head); i++)
		b->head[b->len + i] = p[i];
	b->len += len;
	while (len) {
		n = write(b->fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return failed(b->name, "can't be written");
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
receive(const struct iprefctl *ctl, struct backup *b)
{
	const struct iprefctl_ask ask = {
		.daemon = "mapperd",
		.method = "POST",
		.target = "/backup",
		.timeout_ms = ctl->timeout_ms > MAKING_MS ? ctl->timeout_ms
							  : MAKING_MS,
		.idle_ms = ctl->timeout_ms,
		.fn = on_piece,
		.arg = b,
	};
	int rc = iprefctl_ask(ctl, &ask);

	if (!rc && memcmp(b->head, magic, sizeof(magic))) {
		iprefctl_error("mapperd: what it sent is no database");
		rc = EXIT_ABSENT;
	}
	return rc;
}

/* The new name of a file is durable when its directory is. */
static int
sync_directory(const char *file)
{
	char path[PATH_LEN];
	int fd, rc = 0;

	snprintf(path, sizeof(path), "%s", file);
	fd = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd))
		rc = failed(file, "its directory can't be synced");
	if (fd >= 0)
		close(fd);
	return rc;
}

/* Only a plain file is replaced. */
static int
check_target(const char *file)
{
	struct stat st;

	if (lstat(file, &st))
		return errno == ENOENT ? 0 : failed(file, "can't be looked at");
	if (S_ISREG(st.st_mode))
		return 0;
	iprefctl_error("%s: there is something that is no plain file", file);
	return EXIT_ABSENT;
}

static int
make_unfinished(const char *file)
{
	int fd;

	if (strlen(file) + 8 > sizeof(unfinished)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	snprintf(unfinished, sizeof(unfinished), "%s.XXXXXX", file);
	fd = mkostemp(unfinished, O_CLOEXEC); /* mode 0600 */
	if (fd < 0)
		*unfinished = '\0';
	return fd;
}

static int
backup_to_file(const struct iprefctl *ctl, const char *file, uint64_t *len)
{
	struct backup b = {.name = file};
	int rc = check_target(file);

	if (rc)
		return rc;
	catch_signals();
	b.fd = make_unfinished(file);
	if (b.fd < 0)
		return failed(file, "can't be made");
	rc = receive(ctl, &b);
	if (!rc && fsync(b.fd))
		rc = failed(file, "can't be written");
	if (close(b.fd) && !rc)
		rc = failed(file, "can't be written");
	if (!rc && rename(unfinished, file))
		rc = failed(file, "can't be put in its place");
	if (rc)
		(void)unlink(unfinished);
	*unfinished = '\0';
	*len = b.len;
	return rc ? rc : sync_directory(file);
}

static int
backup_to_stdout(const struct iprefctl *ctl)
{
	struct backup b = {.fd = STDOUT_FILENO, .name = "standard output"};

	if (!isatty(STDOUT_FILENO))
		return receive(ctl, &b);
	iprefctl_error("a backup is not written to a terminal");
	return EXIT_USAGE;
}

int
cmd_backup(const struct iprefctl *ctl, const struct args *args)
{
	const char *file = args->operands[0];
	uint64_t len;
	int rc;

	if (!strcmp(file, "-"))
		return backup_to_stdout(ctl);
	rc = backup_to_file(ctl, file, &len);
	if (!rc && ctl->json)
		iprefctl_put_json(json_pack(
			"{s:s, s:I}", "file", file, "bytes", (json_int_t)len));
	return rc;
}
