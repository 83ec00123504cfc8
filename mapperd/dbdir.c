/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names are ours alone while the lock is held; see dbdir.h. */
#include "mapperd/dbdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "libipref/log.h"

#define TEMP_PREFIX "mapperd.db.tmp-"
#define ROOM_LEFT   (8 << 20) /* bytes that a copy leaves free */
/* The header of a database file: bytes 18 and 19 say how it is written and
 * read: 2, WAL mode, in ours from its first byte on; 1 in copies. */
#define HEADER_LEN  100
#define HEADER_MODE 18
#define MODE_COPY   1
#define MODE_WAL    2

static int
sync_path(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = fsync(fd) ? -errno : 0;
	close(fd);
	return err;
}

/* A path beside the database: mapperd.db and what follows. */
static void
name(const struct dbdir *d, const char *suffix, char out[DBDIR_PATH_MAX])
{
	snprintf(out, DBDIR_PATH_MAX, "%.*s%s", DBDIR_PATH_MAX - 64, d->db,
		suffix);
}

/* The new directory itself is to outlive a power cut, too. */
static int
make_directory(const char *path)
{
	char parent[DBDIR_PATH_MAX];
	size_t len = strlen(path);

	if (mkdir(path, 0700))
		return errno == EEXIST ? 0 : -errno;
	while (len > 1 && path[len - 1] == '/')
		len--;
	while (len && path[len - 1] != '/')
		len--;
	snprintf(parent, sizeof(parent), "%.*s", len ? (int)len : 1,
		len ? path : ".");
	return sync_path(parent);
}

static int
take_lock(struct dbdir *d)
{
	char path[DBDIR_PATH_MAX];
	int err;

	snprintf(path, sizeof(path), "%s/mapperd.lock", d->path);
	d->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (d->lock < 0) {
		err = -errno;
		log_err_errno(-err, "store: %s: can't be opened", path);
		return err;
	}
	if (!flock(d->lock, LOCK_EX | LOCK_NB))
		return 0;
	err = errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (err == -EBUSY)
		log_err("store: %s: another process works in this directory",
			path);
	else
		log_err_errno(-err, "store: %s: can't be locked", path);
	return err;
}

static void
remove_temps(const struct dbdir *d)
{
	DIR *dir = opendir(d->path);
	struct dirent *e;

	if (!dir)
		return;
	while ((e = readdir(dir)))
		if (!strncmp(e->d_name, TEMP_PREFIX, strlen(TEMP_PREFIX)))
			unlinkat(dirfd(dir), e->d_name, 0);
	closedir(dir);
}

int
dbdir_open(struct dbdir *d, const char *path)
{
	int err;

	d->lock = -1;
	if (strlen(path) >= sizeof(d->path)) {
		log_err("store: %s: is too long", path);
		return -ENAMETOOLONG;
	}
	strcpy(d->path, path);
	snprintf(d->db, sizeof(d->db), "%s/mapperd.db", path);
	err = make_directory(path);
	if (err) {
		log_err_errno(-err, "store: %s: can't be made", path);
		return err;
	}
	err = take_lock(d);
	if (!err)
		remove_temps(d);
	return err;
}

void
dbdir_close(struct dbdir *d)
{
	if (d->lock >= 0)
		close(d->lock);
	d->lock = -1;
}

/* How its header says that the file is written and read; zeros: not known. */
static void
read_modes(int fd, uint8_t modes[2])
{
	uint8_t header[HEADER_LEN] = {0};

	if (pread(fd, header, sizeof(header), 0) != sizeof(header))
		header[HEADER_MODE] = header[HEADER_MODE + 1] = 0;
	memcpy(modes, header + HEADER_MODE, 2);
}

static int
remove_name(const struct dbdir *d, const char *suffix)
{
	char path[DBDIR_PATH_MAX];

	name(d, suffix, path);
	if (!unlink(path)) {
		log_notice("store: %s removed: it belongs to another database "
			   "than the one here",
			path);
		return 0;
	}
	return errno == ENOENT ? 0 : -errno;
}

static bool
has_name(const struct dbdir *d, const char *suffix)
{
	char path[DBDIR_PATH_MAX];

	name(d, suffix, path);
	return !access(path, F_OK);
}

/* The file is the mark; its text is for people. */
static int
make_mark(const struct dbdir *d, const char *suffix, const char *text)
{
	char path[DBDIR_PATH_MAX];
	int fd, err = 0;

	name(d, suffix, path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (dprintf(fd, "%s\n", text) < 0)
		err = errno == ENOSPC ? 0 : -errno;
	if (!err && fsync(fd))
		err = -errno;
	close(fd);
	return err ? err : sync_path(d->path);
}

static int
remove_mark(const struct dbdir *d, const char *suffix)
{
	char path[DBDIR_PATH_MAX];

	name(d, suffix, path);
	if (unlink(path))
		return errno == ENOENT ? 0 : -errno;
	return sync_path(d->path);
}

/* A link to nowhere is no file, and yet something is there: -ENOENT. One that
 * is not for us to write would have SQLite make a log that is not, either. */
static int
look_at_file(const struct dbdir *d, enum dbdir_found *found)
{
	int fd = open(d->db, O_RDWR | O_CLOEXEC), err;
	uint8_t modes[2];
	struct stat st;

	*found = DBDIR_NONE;
	if (fd < 0) {
		err = -errno;
		return err == -ENOENT && lstat(d->db, &st) ? 0 : err;
	}
	/* Not written by us in place. */
	read_modes(fd, modes);
	*found = modes[0] == MODE_COPY && modes[1] == MODE_COPY ? DBDIR_COPY
								: DBDIR_OURS;
	close(fd);
	return 0;
}

static bool
log_is_empty(const struct dbdir *d)
{
	char path[DBDIR_PATH_MAX];
	struct stat st;

	name(d, "-wal", path);
	return stat(path, &st) || !st.st_size;
}

/* What another database has left here would be taken for the copy's. */
static int
remove_others(const struct dbdir *d)
{
	static const char *const others[] = {"-wal", "-shm", ".damaged"};
	size_t i;
	int err = 0;

	for (i = 0; i < ARRAY_LEN(others) && !err; i++)
		err = remove_name(d, others[i]);
	return err;
}

int
dbdir_look(struct dbdir *d, enum dbdir_found *found)
{
	int err = look_at_file(d, found);

	if (*found == DBDIR_COPY) {
		err = make_mark(d, ".restored", "a copy was put here");
		if (!err)
			err = remove_others(d);
	} else if (*found == DBDIR_OURS && has_name(d, ".restored")) {
		*found = DBDIR_COPY; /* the start that found it did not end */
	} else if (!err && *found == DBDIR_NONE && !log_is_empty(d)) {
		*found = DBDIR_LOST;
	}
	if (err)
		log_err_errno(-err, "store: %s: can't be opened", d->db);
	return err;
}

int
dbdir_adopt(const struct dbdir *d)
{
	return remove_mark(d, ".restored");
}

bool
dbdir_forbids_writing(const struct dbdir *d)
{
	int fd = open(d->db, O_RDONLY | O_CLOEXEC);
	uint8_t modes[2] = {0};

	if (fd >= 0) {
		read_modes(fd, modes);
		close(fd);
	}
	return modes[0] > MODE_WAL;
}

bool
dbdir_has_log(const struct dbdir *d)
{
	return has_name(d, "-wal");
}

int
dbdir_mark(const struct dbdir *d, const char *why)
{
	return make_mark(d, ".damaged", why);
}

bool
dbdir_marked(const struct dbdir *d, char *why, size_t size)
{
	char path[DBDIR_PATH_MAX];
	FILE *f;

	name(d, ".damaged", path);
	if (access(path, F_OK))
		return false;
	f = fopen(path, "re");
	why[0] = '\0';
	if (f) {
		if (!fgets(why, (int)size, f))
			why[0] = '\0';
		fclose(f);
	}
	why[strcspn(why, "\n")] = '\0';
	if (!why[0])
		snprintf(why, size, "marked as damaged");
	return true;
}

int
dbdir_unmark(const struct dbdir *d)
{
	return remove_mark(d, ".damaged");
}

/* A suffix that no file has yet: the time, and a number if need be. */
static int
free_suffix(const struct dbdir *d, char *out, size_t size)
{
	char path[DBDIR_PATH_MAX], stamp[32];
	time_t now = time(NULL);
	struct tm tm;
	unsigned i;

	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
	for (i = 1; i < 1000; i++) {
		snprintf(out, size, i > 1 ? ".damaged-%s-%u" : ".damaged-%s",
			stamp, i);
		name(d, out, path);
		if (access(path, F_OK))
			return 0;
	}
	return -EEXIST;
}

/* Renames mapperd.db FROM to mapperd.db TO; one that is missing is fine. */
static int
move(const struct dbdir *d, const char *from, const char *to)
{
	char old[DBDIR_PATH_MAX], new[DBDIR_PATH_MAX];

	name(d, from, old);
	name(d, to, new);
	if (rename(old, new))
		return errno == ENOENT ? 0 : -errno;
	return 0;
}

int
dbdir_set_aside(const struct dbdir *d, const char *why)
{
	char to[48], wal[56], path[DBDIR_PATH_MAX];
	int err = dbdir_mark(d, why);

	if (!err)
		err = free_suffix(d, to, sizeof(to));
	if (!err) {
		snprintf(wal, sizeof(wal), "%s-wal", to);
		err = move(d, "-wal", wal);
	}
	if (!err)
		err = move(d, "", to);
	if (!err) {
		name(d, "-shm", path);
		unlink(path);
		err = sync_path(d->path);
	}
	if (err) {
		log_err_errno(-err,
			"store: %s: damaged (%s), and can't be set "
			"aside",
			d->db, why);
		return err;
	}
	name(d, to, path);
	log_err("store: %s: damaged: %s; set aside as %s", d->db, why, path);
	log_err("store: begins with an empty database; addresses handed out "
		"before count as in use until their quarantine is over; to "
		"have the mappings back, stop, copy the latest backup to %s, "
		"start",
		d->db);
	return 0;
}

int
dbdir_temp(const struct dbdir *d, char out[DBDIR_PATH_MAX])
{
	int fd;

	snprintf(out, DBDIR_PATH_MAX, "%s/%sXXXXXX", d->path, TEMP_PREFIX);
	fd = mkostemp(out, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

uint64_t
dbdir_free(const struct dbdir *d)
{
	struct statvfs fs;

	return statvfs(d->path, &fs) ? UINT64_MAX : fs.f_bavail * fs.f_frsize;
}

int
dbdir_room(const struct dbdir *d)
{
	struct stat st;

	if (stat(d->db, &st))
		return -errno;
	return dbdir_free(d) < (uint64_t)st.st_size + ROOM_LEFT ? -ENOSPC : 0;
}

int
dbdir_keep(const struct dbdir *d, const char *temp, const char *path)
{
	int err = sync_path(temp);

	if (!err && rename(temp, path))
		err = -errno;
	return err ? err : sync_path(d->path);
}
