/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hosts file with mapping comments (spec/text-formats.md): read whole,
 * watched, handed to the mapper as one set.
 *
 * Watched by inotify on its directory (so replacing it by rename, and its
 * coming and going are seen), and looked at every two seconds besides (for what
 * a directory does not tell: links, mounts). A file that can't be read changes
 * nothing; one that has been gone for two seconds lists nobody: editors and
 * tools that replace it by removing it first withdraw no host.
 */
#ifndef MAPPERD_HOSTSFILE_H
#define MAPPERD_HOSTSFILE_H

#include "mapperd/mapper.h"

struct event_base;

#define HOSTSFILE_LINES_MAX 1000000

struct hostsfile_set {
	struct hosts_rec *recs; /* owned */
	size_t n;
	unsigned lines, broken;
};

/* What text (of a file called name) says under the rules; lines that are broken
 * or overruled by later ones are logged with name and number. 0, -ENOMEM, or
 * -E2BIG: too many lines; recs are the caller's to free. */
int hostsfile_parse(struct hostsfile_set *out, const char *name,
	const char *text, size_t len, const struct host_rules *rules) MUSTCHECK;

struct hostsfile;

/* Reads the file and hands it over; then whenever it has changed. NULL with
 * errno: no memory. A file that is not there is waited for. */
struct hostsfile *hostsfile_new(struct event_base *base, const char *path,
	const struct host_rules *rules, struct mapper *mapper) MUSTCHECK;
void hostsfile_free(struct hostsfile *h);
/* Reads it now (SIGHUP). */
void hostsfile_reload(struct hostsfile *h);

struct hostsfile_stats {
	uint64_t reads, failures;
	unsigned lines, broken;
	size_t mappings;
	bool there;
};
const struct hostsfile_stats *hostsfile_stats(const struct hostsfile *h);

#endif
