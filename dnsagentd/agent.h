/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of the daemon, and what it shows of itself. */
#ifndef DNSAGENTD_AGENT_H
#define DNSAGENTD_AGENT_H

#include "dnsagentd/source.h"

struct ctl;

struct agent {
	const struct agent_conf *conf;
	struct source_conf *source_confs; /* owned */
	struct source_state *sources;	  /* owned */
	size_t n_sources;
	size_t n_started;	/* of them initialised */
	struct mclient *mapper; /* owned; NULL with -devmode */
};

/* The members "sources" and "mapper" of /status, the metrics, the page
 * /sources. */
void status_register(struct agent *a, struct ctl *ctl);

#endif
