/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What operators order (iprefctl): the end of a mapping, now. */
#include <errno.h>

#include "mapperd/mapper_impl.h"

/* Puts the end of e into the job; 0 or why not. */
static int
plan_forget(struct mapper *m, struct job *j, struct entry *e)
{
	if (!owner_is_dynamic(e->owner))
		return -EPERM;
	if (e->busy || e->promoting)
		return -EBUSY;
	change_del(&j->store.change, e, mapper_now(m));
	e->busy = !j->store.change.failed;
	return 0;
}

/* The dynamic references of a host of ours; listed ones stay. */
static int
plan_forget_ip(struct mapper *m, struct job *j, const struct addr *ip)
{
	struct entry *e = entries_by_ip(&m->entries, ip);
	int err = e ? -EPERM : -ENOENT, one;

	for (; e; e = entry_next_ip(e)) {
		one = plan_forget(m, j, e);
		if (one != -EPERM && err)
			err = one;
	}
	return err;
}

void
mapper_forget(
	struct mapper *m, const struct addr *addr, mapper_done done, void *arg)
{
	struct entry *e = entries_by_ea(&m->entries, addr);
	struct job *j;
	int err = -ENOMEM;

	if (e && e->owner == OWNER_TENTATIVE && !e->promoting) {
		tentative_end(m, e);
		done(0, 1, arg);
		return;
	}
	j = job_new(JOB_ORDER);
	if (j)
		err = e ? plan_forget(m, j, e) : plan_forget_ip(m, j, addr);
	if (err) {
		if (j)
			job_free(j);
		done(err, 0, arg);
		return;
	}
	j->done = done;
	j->done_arg = arg;
	job_submit(m, j);
}
