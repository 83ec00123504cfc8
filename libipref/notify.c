/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors handed over by systemd.
 *
 * Which of them were taken is written down where systemd listed them, in
 * $LISTEN_FDNAMES, so that several of one name (a socket per worker) are given
 * out one after the other, and none twice. Called while the daemon starts, when
 * no other thread looks at the environment.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "libipref/daemon.h"
#include "libipref/log.h"

#define TAKEN "taken"

/* Marks names[i] as taken: false when the list can't be written. */
static bool
mark_taken(char **names, int n, int i)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	bool ok;
	int j;

	if (!f)
		return false;
	for (j = 0; j < n; j++)
		fprintf(f, "%s%s", j ? ":" : "", j == i ? TAKEN : names[j]);
	ok = !fclose(f) && !setenv("LISTEN_FDNAMES", text, 1);
	free(text);
	return ok;
}

int
daemon_listen_fd(const char *name)
{
	char **names = NULL;
	int n, i, fd = -1;

	n = sd_listen_fds_with_names(0, &names);
	if (n < 0)
		log_warn_errno(-n, "descriptors from systemd");
	for (i = 0; i < n; i++)
		if (fd < 0 && !strcmp(names[i], name) &&
			mark_taken(names, n, i))
			fd = SD_LISTEN_FDS_START + i;
	for (i = 0; i < n; i++)
		free(names[i]);
	free(names);
	return fd;
}
