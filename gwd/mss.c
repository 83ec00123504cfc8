/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gwd/mss.h"

#include "gwd/header.h"
#include "gwd/packet.h"
#include "gwd/pmtu.h"

#define TCP	   6
#define TCP_HEADER 20
#define FLAGS_AT   13
#define SYN	   0x02

enum option {
	OPTION_END = 0,
	OPTION_NOTHING = 1,
	OPTION_MSS = 2,
};

#define MSS_LEN 4 /* kind, length, two bytes of value */

size_t
mss_syn(const uint8_t *tunnel, size_t len)
{
	static const uint8_t whole[4]; /* no offset, no more */
	size_t size;

	if (len < HEADER_MIN || tunnel[3] != TCP)
		return 0;
	size = header_peek(tunnel, len);
	if (!size || len - size < TCP_HEADER ||
		!(tunnel[size + FLAGS_AT] & SYN))
		return 0;
	if (tunnel[0] & HEADER_I &&
		memcmp(tunnel + HEADER_PLAIN, whole, sizeof(whole)))
		return 0;
	return size;
}

uint16_t
mss_of(const struct gw_settings *set, size_t header, uint32_t path_mtu,
	uint32_t local_mtu)
{
	size_t ours = packet_header_len(set->local_ver, false) + TCP_HEADER;
	size_t room = pmtu_room(set->tunnel_ver, path_mtu);
	size_t mss;

	header += TCP_HEADER;
	if (room <= header || local_mtu <= ours)
		return 0;
	mss = room - header;
	if (mss > local_mtu - ours)
		mss = local_mtu - ours;
	return mss < UINT16_MAX ? (uint16_t)mss : UINT16_MAX;
}

static uint32_t
swapped(uint32_t v)
{
	return (v & 0xff) << 8 | v >> 8;
}

/* at: of the value. One that begins at an odd byte lies across two words of the
 * sum, its halves swapped. */
static void
replace(enum l4_end to, uint8_t *tcp, size_t len, size_t at, uint16_t old,
	uint16_t mss)
{
	bool odd = at % 2;
	struct wbuf w;

	wbuf_init(&w, tcp + at, 2);
	wbuf_be16(&w, mss);
	l4_adjust(to, TCP, 0, tcp, len, odd ? swapped(old) : old,
		odd ? swapped(mss) : mss);
}

/* Hosts differ in which option they take when there are several: all are
 * lowered. */
bool
mss_clamp(enum l4_end to, uint8_t *tcp, size_t len, uint16_t mss)
{
	size_t end = len > 12 ? (tcp[12] >> 4) * (size_t)4 : 0, at, n;
	bool changed = false;
	uint16_t old;
	struct rbuf r;

	if (!mss || end > len)
		return false;
	for (at = TCP_HEADER; at < end && tcp[at] != OPTION_END; at += n) {
		n = 1;
		if (tcp[at] == OPTION_NOTHING)
			continue;
		if (at + 1 == end || tcp[at + 1] < 2 || tcp[at + 1] > end - at)
			break;
		n = tcp[at + 1];
		if (tcp[at] != OPTION_MSS || n != MSS_LEN)
			continue;
		rbuf_init(&r, tcp + at + 2, 2);
		old = rbuf_be16(&r);
		if (old <= mss)
			continue;
		replace(to, tcp, len, at + 2, old, mss);
		changed = true;
	}
	return changed;
}

bool
mss_fit(const struct gw_settings *set, uint32_t path_mtu, uint32_t local_mtu,
	const uint8_t *tunnel, size_t len, enum l4_end to,
	const struct packet_out *out)
{
	size_t header = mss_syn(tunnel, len), tcp_len = len - header;

	if (!header || out->len < tcp_len)
		return false;
	return mss_clamp(to, out->p + (out->len - tcp_len), tcp_len,
		mss_of(set, header, path_mtu, local_mtu));
}
