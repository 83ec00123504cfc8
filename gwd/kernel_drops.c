/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's count of a socket begins again at 2^32, which a flood may reach
 * within the hour: sockets are looked at often enough by a timer, also when
 * nobody asks. The device's count is of 64 bits.
 */
#include "gwd/kernel_drops.h"

#include <errno.h>
#include <event2/event.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

#include "gwd/link.h"
#include "gwd/udp_many.h"
#include "libipref/log.h"

#define LOOK_S 60 /* at 70 million drops a second, still enough */

struct seen {
	int fd; /* borrowed */
	uint32_t drops;
};

struct kernel_drops {
	struct kernel_dropped total;
	struct link *link;   /* owned */
	struct event *timer; /* owned */
	char device[IFNAMSIZ];
	int index; /* another device of that name is not ours */
	uint64_t device_base;
	size_t n;
	struct seen seen[];
};

static void
look_at_device(struct kernel_drops *k)
{
	struct link_state s;

	if (!link_get(k->link, k->device, &s) && s.index == k->index)
		k->total.device = s.dropped - k->device_base;
}

static void
look_at_sockets(struct kernel_drops *k)
{
	uint32_t drops;
	size_t i;

	for (i = 0; i < k->n; i++) {
		if (udp_drops(k->seen[i].fd, &drops))
			continue;
		k->total.sockets += (uint32_t)(drops - k->seen[i].drops);
		k->seen[i].drops = drops;
	}
}

struct kernel_dropped
kernel_drops_get(struct kernel_drops *k)
{
	look_at_device(k);
	look_at_sockets(k);
	return k->total;
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	look_at_sockets(arg);
}

/* What was dropped so far is not ours to tell. */
static int
begin(struct kernel_drops *k, const struct kernel_drops_config *cfg)
{
	static const struct timeval often = {.tv_sec = LOOK_S};
	struct link_state s;
	int err = link_open(&k->link);

	if (!err)
		err = link_get(k->link, cfg->device, &s);
	if (err)
		return err;
	snprintf(k->device, sizeof(k->device), "%s", cfg->device);
	k->index = s.index;
	k->device_base = s.dropped;
	for (; k->n < cfg->n && !err; k->n++) {
		k->seen[k->n].fd = cfg->fds[k->n];
		err = udp_drops(k->seen[k->n].fd, &k->seen[k->n].drops);
	}
	if (err)
		return err;
	k->timer = event_new(cfg->base, -1, EV_PERSIST, on_timer, k);
	return k->timer && !event_add(k->timer, &often) ? 0 : -ENOMEM;
}

struct kernel_drops *
kernel_drops_new(const struct kernel_drops_config *cfg)
{
	struct kernel_drops *k =
		calloc(1, sizeof(*k) + cfg->n * sizeof(k->seen[0]));
	int err = k ? begin(k, cfg) : -ENOMEM;

	if (!err)
		return k;
	log_err_errno(-err, "tun %s: what the kernel drops can't be counted",
		cfg->device);
	kernel_drops_free(k);
	return NULL;
}

void
kernel_drops_free(struct kernel_drops *k)
{
	if (!k)
		return;
	if (k->timer)
		event_free(k->timer);
	link_close(k->link);
	free(k);
}
