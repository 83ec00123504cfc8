/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SQLite's view of the disk, with faults: the n-th call of a kind fails, or
 * syncing takes until the test says so. Put in front of the real one between
 * faulty_begin() and faulty_end().
 */
#ifndef TESTS_UNIT_MAPPERD_FAULTY_VFS_H
#define TESTS_UNIT_MAPPERD_FAULTY_VFS_H

#include <check.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <string.h>

enum fault {
	FAULT_NONE,
	FAULT_READ,
	FAULT_WRITE,
	FAULT_FULL, /* writes, too: there is no room, */
	FAULT_ROOM, /* nor for the index of the log */
	FAULT_SYNC,
	FAULT_TRUNCATE,
	FAULT_OPEN,
	FAULT_DELETE,
	FAULT_N
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	sqlite3_vfs vfs, *real;
	/* Guarded by lock: */
	enum fault fault;
	unsigned n;	  /* the call that fails, from 1; */
	bool forever;	  /* and all that follow */
	int only;	  /* files opened with this flag, or 0: all */
	unsigned calls;	  /* so far */
	bool hold;	  /* syncing waits */
	unsigned waiting; /* threads that sync */
} faulty = {
	.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

struct faulty_file {
	sqlite3_file base; /* first */
	int flags;
	sqlite3_file *real; /* behind this struct */
};

/* Counts a call; whether it is to fail. */
static inline bool
faulty_hits(enum fault fault, int flags)
{
	bool hit = false;

	pthread_mutex_lock(&faulty.lock);
	if (fault == faulty.fault && (!faulty.only || (flags & faulty.only))) {
		faulty.calls++;
		hit = faulty.forever ? faulty.calls >= faulty.n
				     : faulty.calls == faulty.n;
	}
	pthread_mutex_unlock(&faulty.lock);
	return hit;
}

static inline struct faulty_file *
faulty_of(sqlite3_file *f)
{
	return (struct faulty_file *)(void *)f;
}

static inline int
faulty_close(sqlite3_file *f)
{
	sqlite3_file *real = faulty_of(f)->real;

	return real->pMethods->xClose(real);
}

static inline int
faulty_read(sqlite3_file *f, void *buf, int len, sqlite3_int64 at)
{
	sqlite3_file *real = faulty_of(f)->real;

	if (faulty_hits(FAULT_READ, faulty_of(f)->flags))
		return SQLITE_IOERR_READ;
	return real->pMethods->xRead(real, buf, len, at);
}

static inline int
faulty_write(sqlite3_file *f, const void *buf, int len, sqlite3_int64 at)
{
	sqlite3_file *real = faulty_of(f)->real;

	if (faulty_hits(FAULT_WRITE, faulty_of(f)->flags))
		return SQLITE_IOERR_WRITE;
	if (faulty_hits(FAULT_FULL, faulty_of(f)->flags) ||
		faulty_hits(FAULT_ROOM, faulty_of(f)->flags))
		return SQLITE_FULL;
	return real->pMethods->xWrite(real, buf, len, at);
}

static inline int
faulty_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	sqlite3_file *real = faulty_of(f)->real;

	if (faulty_hits(FAULT_TRUNCATE, faulty_of(f)->flags))
		return SQLITE_IOERR_TRUNCATE;
	return real->pMethods->xTruncate(real, size);
}

static inline int
faulty_sync(sqlite3_file *f, int flags)
{
	sqlite3_file *real = faulty_of(f)->real;

	pthread_mutex_lock(&faulty.lock);
	faulty.waiting++;
	pthread_cond_broadcast(&faulty.changed);
	while (faulty.hold)
		pthread_cond_wait(&faulty.changed, &faulty.lock);
	faulty.waiting--;
	pthread_mutex_unlock(&faulty.lock);
	if (faulty_hits(FAULT_SYNC, faulty_of(f)->flags))
		return SQLITE_IOERR_FSYNC;
	return real->pMethods->xSync(real, flags);
}

static inline int
faulty_size(sqlite3_file *f, sqlite3_int64 *size)
{
	sqlite3_file *real = faulty_of(f)->real;

	return real->pMethods->xFileSize(real, size);
}

static inline int
faulty_lock(sqlite3_file *f, int level)
{
	sqlite3_file *real = faulty_of(f)->real;

	return real->pMethods->xLock(real, level);
}

static inline int
faulty_unlock(sqlite3_file *f, int level)
{
	sqlite3_file *real = faulty_of(f)->real;

	return real->pMethods->xUnlock(real, level);
}

static inline int
faulty_reserved(sqlite3_file *f, int *out)
{
	sqlite3_file *real = faulty_of(f)->real;

	return real->pMethods->xCheckReservedLock(real, out);
}

static inline int
faulty_control(sqlite3_file *f, int op, void *arg)
{
	sqlite3_file *real = faulty_of(f)->real;

	return real->pMethods->xFileControl(real, op, arg);
}

static inline int
faulty_sector(sqlite3_file *f)
{
	sqlite3_file *real = faulty_of(f)->real;

	return real->pMethods->xSectorSize(real);
}

static inline int
faulty_features(sqlite3_file *f)
{
	sqlite3_file *real = faulty_of(f)->real;

	return real->pMethods->xDeviceCharacteristics(real);
}

static inline int
faulty_shm_map(
	sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
	sqlite3_file *real = faulty_of(f)->real;

	if (extend && faulty_hits(FAULT_ROOM, faulty_of(f)->flags))
		return SQLITE_IOERR_SHMSIZE;
	return real->pMethods->xShmMap(real, page, size, extend, out);
}

static inline int
faulty_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
	sqlite3_file *real = faulty_of(f)->real;

	return real->pMethods->xShmLock(real, at, n, flags);
}

static inline void
faulty_shm_barrier(sqlite3_file *f)
{
	sqlite3_file *real = faulty_of(f)->real;

	real->pMethods->xShmBarrier(real);
}

static inline int
faulty_shm_unmap(sqlite3_file *f, int del)
{
	sqlite3_file *real = faulty_of(f)->real;

	return real->pMethods->xShmUnmap(real, del);
}

static inline int
faulty_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags,
	int *out)
{
	static const sqlite3_io_methods methods = {2, faulty_close, faulty_read,
		faulty_write, faulty_truncate, faulty_sync, faulty_size,
		faulty_lock, faulty_unlock, faulty_reserved, faulty_control,
		faulty_sector, faulty_features, faulty_shm_map, faulty_shm_lock,
		faulty_shm_barrier, faulty_shm_unmap, NULL, NULL};
	struct faulty_file *ff = faulty_of(f);
	int rc;

	(void)vfs;
	ff->base.pMethods = NULL;
	if (faulty_hits(FAULT_OPEN, flags))
		return SQLITE_CANTOPEN;
	ff->flags = flags;
	ff->real = (sqlite3_file *)(void *)(ff + 1);
	rc = faulty.real->xOpen(faulty.real, name, ff->real, flags, out);
	if (rc == SQLITE_OK)
		ff->base.pMethods = &methods;
	return rc;
}

static inline int
faulty_delete(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
	(void)vfs;
	if (faulty_hits(FAULT_DELETE, 0))
		return SQLITE_IOERR_DELETE;
	return faulty.real->xDelete(faulty.real, name, sync_dir);
}

/* From now on the n-th call (and those behind it: forever) fails. */
static inline void
faulty_set(enum fault fault, unsigned n, bool forever, int only)
{
	pthread_mutex_lock(&faulty.lock);
	faulty.fault = fault;
	faulty.n = n;
	faulty.forever = forever;
	faulty.only = only;
	faulty.calls = 0;
	pthread_mutex_unlock(&faulty.lock);
}

/* Whether a call has failed since it was set. */
static inline bool
faulty_has_hit(void)
{
	bool hit;

	pthread_mutex_lock(&faulty.lock);
	hit = faulty.calls >= faulty.n;
	pthread_mutex_unlock(&faulty.lock);
	return hit;
}

/* Syncing takes until it is let go. */
static inline void
faulty_hold(bool hold)
{
	pthread_mutex_lock(&faulty.lock);
	faulty.hold = hold;
	pthread_cond_broadcast(&faulty.changed);
	pthread_mutex_unlock(&faulty.lock);
}

/* Returns when a thread syncs and is held. */
static inline void
faulty_wait_held(void)
{
	pthread_mutex_lock(&faulty.lock);
	while (!faulty.waiting)
		pthread_cond_wait(&faulty.changed, &faulty.lock);
	pthread_mutex_unlock(&faulty.lock);
}

static inline void
faulty_begin(void)
{
	faulty.real = sqlite3_vfs_find(NULL);
	faulty.vfs = *faulty.real;
	faulty.vfs.zName = "faulty";
	faulty.vfs.szOsFile += (int)sizeof(struct faulty_file);
	faulty.vfs.xOpen = faulty_open;
	faulty.vfs.xDelete = faulty_delete;
	ck_assert_int_eq(sqlite3_vfs_register(&faulty.vfs, 1), SQLITE_OK);
}

static inline void
faulty_end(void)
{
	faulty_set(FAULT_NONE, 0, false, 0);
	sqlite3_vfs_unregister(&faulty.vfs);
}

#endif
