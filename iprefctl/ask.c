/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking a daemon over its control socket. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iprefctl/iprefctl.h"
#include "libipref/ctl.h"

/* What a failed connection means to whoever runs the program. */
static const char *
meaning(int err)
{
	switch (err) {
	case ENOENT:
	case ECONNREFUSED:
		return "not running";
	case EACCES:
	case EPERM:
		return "permission denied: only root and the group of the "
		       "control socket may ask";
	case ETIMEDOUT:
		return "no answer in time";
	default:
		return strerror(err);
	}
}

json_t *
iprefctl_get(const struct iprefctl *ctl, const char *daemon, const char *page,
	const char **error)
{
	char path[512], *body;
	json_t *json;
	size_t len;
	int rc, status;

	rc = snprintf(path, sizeof(path), "%s/%s.ctl", ctl->common.control_dir,
		daemon);
	if (rc < 0 || (size_t)rc >= sizeof(path)) {
		*error = "the path of its control socket is too long";
		return NULL;
	}
	rc = ctl_get(path, page, ctl->timeout_ms, &status, &body, &len);
	if (rc) {
		*error = meaning(-rc);
		return NULL;
	}
	json = status == 200 ? json_loadb(body, len, 0, NULL) : NULL;
	free(body);
	if (!json)
		*error = status == 200
				 ? "its answer is not JSON"
				 : "it has no such page: another version?";
	return json;
}

void
iprefctl_put_json(json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(json);
}
