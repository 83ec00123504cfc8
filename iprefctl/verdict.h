/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From what mapperd and gwd say about an address to one sentence: whether its
 * packets flow, and if not, why and what to do. Pure.
 *
 * What they say is reduced to facts; the first row of a table whose facts are
 * all there, and none of whose others are, is the verdict.
 */
#ifndef IPREFCTL_VERDICT_H
#define IPREFCTL_VERDICT_H

#include <jansson.h>

#include "libipref/base.h"

enum fact {
	FACT_MAPPERD = 1 << 0,	   /* mapperd answers */
	FACT_GWD = 1 << 1,	   /* gwd answers */
	FACT_BY_NAME = 1 << 2,	   /* it was asked for by a name */
	FACT_MAPPED = 1 << 3,	   /* mapperd has a mapping */
	FACT_HELD = 1 << 4,	   /* gwd has one */
	FACT_SAME = 1 << 5,	   /* and it is the same */
	FACT_FOLLOWING = 1 << 6,   /* gwd's copy is up to date */
	FACT_REFUSED = 1 << 7,	   /* mapperd refuses gwd's settings */
	FACT_SELF = 1 << 8,	   /* it is the gateway itself */
	FACT_OWN_CONTEXT = 1 << 9, /* an IPREF address of ours */
	FACT_ENCODED = 1 << 10,	   /* inside the encoding network */
	FACT_GATEWAY = 1 << 11, /* another gateway stands for it, or it is one
				 */
	FACT_DENIED = 1 << 12,	/* by settings about peers */
	FACT_DROPPED = 1 << 13, /* just now, and not as usual */
	FACT_PEER = 1 << 14,	/* gwd remembers the gateway */
	FACT_HEARD = 1 << 15,	/* ever */
	FACT_PROVED = 1 << 16,	/* packets went to and fro */
	FACT_SILENT = 1 << 17,	/* hosts sent there since it was heard */
	FACT_UNREACHABLE = 1 << 18, /* says the network */
	FACT_BY_IPREF = 1 << 19,    /* it was asked for by GW+REF */
};

struct verdict {
	unsigned all, none; /* facts */
	bool works;
	/* With FACT_DROPPED or FACT_UNREACHABLE in `all` the drop, or the
	 * path's error, follows. */
	const char *text;
};

#define VERDICT_TEXT_MAX 512

/* What was found about one subject. Objects are borrowed. */
struct found {
	bool mapperd, gwd; /* answer */
	bool by_name;
	const json_t *mapping; /* mapperd's; NULL: none */
	const json_t *why;     /* gwd's page; NULL: none */
};

unsigned verdict_facts(const struct found *f);
/* Never NULL. */
const struct verdict *verdict_find(unsigned facts);
/* Its sentence. */
void verdict_text(const struct verdict *v, const struct found *f,
	char buf[VERDICT_TEXT_MAX]);

/* All rows, for tests. */
extern const struct verdict verdicts[];
extern const size_t n_verdicts;

#endif
