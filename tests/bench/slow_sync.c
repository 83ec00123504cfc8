/* SPDX-License-Identifier: GPL-2.0-or-later */
/* To be preloaded: each sync of a file takes SLOW_SYNC_MS longer. */
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

typedef int (*sync_fn)(int fd);

int fsync(int fd);
int fdatasync(int fd);

static int
slowly(const char *name, int fd)
{
	const char *text = getenv("SLOW_SYNC_MS");
	long ms = text ? strtol(text, NULL, 10) : 0;
	const struct timespec t = {ms / 1000, ms % 1000 * 1000000};
	sync_fn real = (sync_fn)dlsym(RTLD_NEXT, name);

	nanosleep(&t, NULL);
	return real(fd);
}

int
fsync(int fd)
{
	return slowly("fsync", fd);
}

int
fdatasync(int fd)
{
	return slowly("fdatasync", fd);
}
