/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What clients of the model are told: promises that are made, and refusals that
 * need a reason. */
#ifndef TESTS_UNIT_MAPPERD_MODEL_TOLD_H
#define TESTS_UNIT_MAPPERD_MODEL_TOLD_H

#include "model.h"

/* Somebody asks for it, or says that it is used: whatever becomes of that, it
 * may last so long. */
static inline void
m_asked(struct model *m, struct m_lease *l)
{
	l->asked = true;
	if (l->max < m->rig.now + m->cfg.lease_ms)
		l->max = m->rig.now + m->cfg.lease_ms;
}

/* It was said to be so, or used, at this time. The renewal may be on its way to
 * the disk still when it is said, but half of the lease is there. What the
 * store could not write is lost with the process. */
static inline void
m_promised(struct model *m, struct m_lease *l, uint64_t at, bool stored)
{
	uint64_t lease = m->cfg.lease_ms;
	uint64_t kept = at + (stored ? lease / 4 * 3 : lease / 2);

	if (l->tentative) {
		l->min = l->max = at + m->cfg.tentative_ms;
		return;
	}
	l->min = at + lease / 4 * 3;
	if (!m->rig.store.fail && l->kept < kept)
		l->kept = kept;
}

/* The answer to MC_GET_EA or GET_EA. */
static inline void
m_told_ea(struct model *m, unsigned host, uint8_t cmd, const struct msg *ack)
{
	struct m_host *h = &m->hosts[host];
	struct arec rec = msg_arec(ack, 0);
	uint64_t ttl;
	struct m_ea *e;

	m->acks++;
	if (h->listed.ver) {
		M_CHECK(addr_eq(&rec.ea, &h->listed),
			"host %u is listed elsewhere", host);
		return;
	}
	M_CHECK(h->lease.there && addr_eq(&rec.ea, &h->ea),
		"an answer about host %u that followers do not have", host);
	M_CHECK(cmd == MSG_GET_EA || !h->lease.tentative,
		"a resolver is told a tentative ea");
	m_promised(m, &h->lease, m->rig.now, false);
	if (cmd != MSG_MC_GET_EA)
		return;
	ttl = (h->lease.min - m->rig.now) / 2;
	if (ttl > m->cfg.allot.reuse_ms / 2)
		ttl = m->cfg.allot.reuse_ms / 2;
	e = m_ea(m, &rec.ea);
	e->answer_host = host;
	e->answer_until = m->rig.now + ttl;
}

/* A packet's source is refused: a quota is full, or the peers' part. */
static inline void
m_refused_packet(const struct model *m, unsigned gw)
{
	const struct allot_config *a = &m->cfg.allot;

	if (m->tentative[gw] >= a->tentative_gw ||
		m_net_sum(m->tentative, gw) >= a->tentative_net)
		return;
	M_CHECK(!m_virgin_left(m) || m_of_peers(m) + BLOCK_SIZE > m_share(m),
		"a packet is refused while there are eas for it");
}

/* The answer is no. */
static inline void
m_refused_ea(struct model *m, unsigned host, uint8_t cmd)
{
	const struct m_host *h = &m->hosts[host];
	const struct allot_config *a = &m->cfg.allot;
	unsigned gw = m_gw(host);
	uint64_t since;

	m->nacks++;
	M_CHECK(!h->listed.ver, "host %u is listed, and refused", host);
	/* One not promoted for want of quota or store is no lie. */
	M_CHECK(!h->lease.there || h->lease.ordered ||
			h->lease.min <= m->rig.now ||
			(h->lease.tentative && cmd == MSG_MC_GET_EA),
		"host %u is known, and refused", host);
	if (!m->quiet || m->rig.store.fail || roll_below(&m->dice, 8))
		return;
	if (cmd == MSG_GET_EA) {
		m_refused_packet(m, gw);
		return;
	}
	if (m->resolver[gw] >= a->resolver_gw)
		return;
	since = m_gone_longest(m);
	M_CHECK(!m_virgin_left(m) &&
			(since == UINT64_MAX ||
				m->rig.now < since + a->reuse_ms + SLACK),
		"a resolver is refused while there are eas");
}

#endif
