/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CMSG_DATA() is not aligned for what is in it: all is copied. */
#include "gwd/udp_impl.h"

#include <errno.h>
#include <linux/udp.h>
#include <string.h>
#include <sys/socket.h>

/* --- told --------------------------------------------------------------- */

static void
read_pktinfo(const struct cmsghdr *cm, struct udp_from *from)
{
	struct in_pktinfo info;

	memcpy(&info, CMSG_DATA(cm), sizeof(info));
	/* that of the interface for what was sent to many */
	from->to = addr_from_bytes(4, &info.ipi_spec_dst);
}

static void
read_pktinfo6(const struct cmsghdr *cm, struct udp_from *from)
{
	struct in6_pktinfo info;

	memcpy(&info, CMSG_DATA(cm), sizeof(info));
	from->to = addr_from_bytes(6, &info.ipi6_addr);
}

static int
read_int(const struct cmsghdr *cm)
{
	int value;

	memcpy(&value, CMSG_DATA(cm), sizeof(value));
	return value;
}

bool
udp_is_cut(const struct msghdr *mh)
{
	return mh->msg_flags & (MSG_TRUNC | MSG_CTRUNC);
}

uint16_t
udp_control_read(struct msghdr *mh, struct udp_from *from)
{
	struct cmsghdr *cm;
	uint16_t segment = 0;

	from->to = (struct addr){0};
	from->tos = 0;
	for (cm = CMSG_FIRSTHDR(mh); cm; cm = CMSG_NXTHDR(mh, cm)) {
		int level = cm->cmsg_level, type = cm->cmsg_type;

		if (level == IPPROTO_IP && type == IP_PKTINFO)
			read_pktinfo(cm, from);
		else if (level == IPPROTO_IP && type == IP_TOS)
			memcpy(&from->tos, CMSG_DATA(cm), sizeof(from->tos));
		else if (level == IPPROTO_IPV6 && type == IPV6_PKTINFO)
			read_pktinfo6(cm, from);
		else if (level == IPPROTO_IPV6 && type == IPV6_TCLASS)
			from->tos = (uint8_t)read_int(cm);
		else if (level == IPPROTO_UDP && type == UDP_GRO)
			segment = (uint16_t)read_int(cm);
	}
	return segment;
}

/* --- telling ------------------------------------------------------------ */

void
udp_control_add(
	struct msghdr *mh, int level, int type, const void *data, size_t len)
{
	const struct cmsghdr cm = {.cmsg_len = CMSG_LEN(len),
		.cmsg_level = level,
		.cmsg_type = type};
	char *end = mh->msg_control;

	end += mh->msg_controllen;
	memcpy(end, &cm, sizeof(cm));
	memcpy(end + CMSG_LEN(0), data, len);
	mh->msg_controllen += CMSG_SPACE(len);
}

void
udp_control_add_source(struct msghdr *mh, const struct addr *src)
{
	struct in6_pktinfo info6 = {0};
	struct in_pktinfo info = {0};

	if (src->ver == 4) {
		memcpy(&info.ipi_spec_dst, src->b, addr_len(4));
		udp_control_add(
			mh, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	} else if (src->ver == 6) {
		memcpy(&info6.ipi6_addr, src->b, addr_len(6));
		udp_control_add(
			mh, IPPROTO_IPV6, IPV6_PKTINFO, &info6, sizeof(info6));
	}
}

void
udp_control_add_tos(struct msghdr *mh, uint8_t ver, uint8_t tos)
{
	int value = tos;

	if (tos && ver == 4)
		udp_control_add(mh, IPPROTO_IP, IP_TOS, &value, sizeof(value));
	else if (tos)
		udp_control_add(
			mh, IPPROTO_IPV6, IPV6_TCLASS, &value, sizeof(value));
}

bool
udp_is_no_source(int err)
{
	return err == -EINVAL || err == -EADDRNOTAVAIL || err == -ENETUNREACH;
}
