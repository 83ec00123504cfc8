/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One request at a time on one socket; each answer is read to its end before
 * the next request, so that sequence numbers only guard against strays.
 */
#include "gwd/link.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libipref/log.h"

#define RP_FILTER_STRICT 1
#define RP_FILTER_LOOSE	 2
#define ADDRS_MAX	 64 /* of one device that are looked at */

/* Packets that may wait in each queue of the device: some milliseconds of small
 * ones, for which another process may keep the core; superpackets of 64 KB must
 * not wait for half a second. */
#define QUEUE 1024

struct link {
	struct mnl_socket *nl; /* owned */
	unsigned seq;
	/* The kernel's dump messages are this long at most. */
	char buf[16384] __attribute__((aligned(NLMSG_ALIGNTO)));
};

/* An address of a device. */
struct ifa {
	int index;
	struct addr addr;
	uint8_t len; /* of its prefix */
	uint8_t scope;
};

struct ifa_list {
	struct ifa v[ADDRS_MAX];
	size_t n;
	int index;		   /* of these devices only; 0: all */
	const struct addr *inside; /* only networks that hold it; NULL: all */
};

int
link_open(struct link **out)
{
	struct link *l = calloc(1, sizeof(*l));
	int err;

	if (!l)
		return -ENOMEM;
	l->nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!l->nl || mnl_socket_bind(l->nl, 0, MNL_SOCKET_AUTOPID) < 0) {
		err = errno;
		log_err_errno(err, "netlink: can't be opened");
		link_close(l);
		return -err;
	}
	*out = l;
	return 0;
}

void
link_close(struct link *l)
{
	if (!l)
		return;
	if (l->nl)
		mnl_socket_close(l->nl);
	free(l);
}

static struct nlmsghdr *
request(struct link *l, char *buf, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nh = mnl_nlmsg_put_header(buf);

	nh->nlmsg_type = type;
	nh->nlmsg_flags = NLM_F_REQUEST | flags;
	nh->nlmsg_seq = ++l->seq;
	return nh;
}

/* Sends and reads all that is answered: 0 or -errno of the kernel. */
static int
talk(struct link *l, const struct nlmsghdr *nh, mnl_cb_t cb, void *arg)
{
	unsigned port = mnl_socket_get_portid(l->nl);
	unsigned seq = nh->nlmsg_seq;
	ssize_t n;
	int more = MNL_CB_OK;

	if (mnl_socket_sendto(l->nl, nh, nh->nlmsg_len) < 0)
		return -errno;
	while (more > MNL_CB_STOP) {
		n = mnl_socket_recvfrom(l->nl, l->buf, sizeof(l->buf));
		if (n < 0)
			return -errno;
		more = mnl_cb_run(l->buf, (size_t)n, seq, port, cb, arg);
		if (more < 0)
			return -errno;
	}
	return 0;
}

/* The kernel's array of settings, number 1 first. */
static uint32_t
devconf(const struct nlattr *conf, unsigned id)
{
	uint32_t v = 0;
	struct rbuf r;

	rbuf_init(
		&r, mnl_attr_get_payload(conf), mnl_attr_get_payload_len(conf));
	rbuf_skip(&r, (id - 1) * sizeof(v));
	rbuf_bytes(&r, &v, sizeof(v)); /* host order */
	return v;
}

static void
read_inet(struct link_state *s, const struct nlattr *spec)
{
	const struct nlattr *family, *attr;

	mnl_attr_for_each_nested(family, spec)
	{
		if (mnl_attr_get_type(family) != AF_INET)
			continue;
		mnl_attr_for_each_nested(attr, family)
		{
			if (mnl_attr_get_type(attr) != IFLA_INET_CONF)
				continue;
			s->accept_local =
				devconf(attr, IPV4_DEVCONF_ACCEPT_LOCAL);
			s->rp_filter = devconf(attr, IPV4_DEVCONF_RP_FILTER);
		}
	}
}

/* Older kernels say less. */
static uint64_t
dropped(const struct nlattr *attr)
{
	struct rtnl_link_stats64 stats = {0};
	size_t len = mnl_attr_get_payload_len(attr);
	struct rbuf r;

	rbuf_init(&r, mnl_attr_get_payload(attr), len);
	rbuf_bytes(&r, &stats, len < sizeof(stats) ? len : sizeof(stats));
	return stats.tx_dropped;
}

static const struct nlattr *
nested(const struct nlattr *in, int type)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, in)
	{
		if (mnl_attr_get_type(attr) == type)
			return attr;
	}
	return NULL;
}

static uint32_t
readers(const struct nlattr *info)
{
	const struct nlattr *kind = nested(info, IFLA_INFO_KIND);
	const struct nlattr *data = nested(info, IFLA_INFO_DATA);
	const struct nlattr *n;

	if (!kind || !data || strcmp(mnl_attr_get_str(kind), "tun"))
		return 0;
	n = nested(data, IFLA_TUN_NUM_QUEUES);
	return n ? mnl_attr_get_u32(n) : 0;
}

static int
on_link(const struct nlmsghdr *nh, void *arg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nh);
	struct link_state *s = arg;
	const struct nlattr *attr;

	s->index = ifi->ifi_index;
	s->up = ifi->ifi_flags & IFF_UP;
	mnl_attr_for_each(attr, nh, sizeof(*ifi))
	{
		if (mnl_attr_get_type(attr) == IFLA_MTU)
			s->mtu = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == IFLA_TXQLEN)
			s->queue = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == IFLA_AF_SPEC)
			read_inet(s, attr);
		else if (mnl_attr_get_type(attr) == IFLA_LINKINFO)
			s->readers = readers(attr);
		else if (mnl_attr_get_type(attr) == IFLA_STATS64)
			s->dropped = dropped(attr);
	}
	return MNL_CB_OK;
}

static int
get_by_index(struct link *l, int index, struct link_state *s)
{
	char buf[256] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *nh = request(l, buf, RTM_GETLINK, NLM_F_ACK);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nh, sizeof(*ifi));

	*s = (struct link_state){0};
	ifi->ifi_index = index;
	return talk(l, nh, on_link, s);
}

int
link_get(struct link *l, const char *name, struct link_state *s)
{
	unsigned index = if_nametoindex(name);

	return index ? get_by_index(l, (int)index, s) : -ENODEV;
}

static int
on_addr(const struct nlmsghdr *nh, void *arg)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nh);
	struct ifa a = {.index = (int)ifa->ifa_index,
		.len = ifa->ifa_prefixlen,
		.scope = ifa->ifa_scope};
	struct ifa_list *list = arg;
	uint8_t ver = ifa->ifa_family == AF_INET ? 4 : 6;
	const struct nlattr *attr;
	bool local = false;
	struct prefix net;

	mnl_attr_for_each(attr, nh, sizeof(*ifa))
	{
		uint16_t type = mnl_attr_get_type(attr);

		if ((type != IFA_ADDRESS || local) && type != IFA_LOCAL)
			continue;
		if (mnl_attr_get_payload_len(attr) != addr_len(ver))
			continue;
		/* IFA_ADDRESS is the other end's on a point-to-point link. */
		local = type == IFA_LOCAL;
		a.addr = addr_from_bytes(ver, mnl_attr_get_payload(attr));
	}
	if (!a.addr.ver || (list->index && a.index != list->index))
		return MNL_CB_OK;
	net = (struct prefix){a.addr, a.len};
	net.addr = prefix_host(&net, 0);
	if (list->inside && !prefix_has(&net, list->inside))
		return MNL_CB_OK;
	if (list->n < ADDRS_MAX)
		list->v[list->n++] = a;
	return MNL_CB_OK;
}

static int
get_addrs(struct link *l, uint8_t ver, struct ifa_list *list)
{
	char buf[256] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *nh = request(l, buf, RTM_GETADDR, NLM_F_DUMP);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nh, sizeof(*ifa));

	ifa->ifa_family = ver == 4 ? AF_INET : AF_INET6;
	return talk(l, nh, on_addr, list);
}

static int
change_addr(struct link *l, uint16_t type, const struct ifa *a)
{
	char buf[256] __attribute__((aligned(NLMSG_ALIGNTO)));
	uint16_t flags = NLM_F_ACK;
	struct ifaddrmsg *ifa;
	struct nlmsghdr *nh;
	uint8_t ver = a->addr.ver;

	if (type == RTM_NEWADDR)
		flags |= NLM_F_CREATE | NLM_F_REPLACE;
	nh = request(l, buf, type, flags);
	ifa = mnl_nlmsg_put_extra_header(nh, sizeof(*ifa));
	ifa->ifa_family = ver == 4 ? AF_INET : AF_INET6;
	ifa->ifa_prefixlen = a->len;
	ifa->ifa_index = (uint32_t)a->index;
	ifa->ifa_scope = RT_SCOPE_UNIVERSE;
	if (ver == 6) /* nobody else has it, and it is needed now */
		ifa->ifa_flags = IFA_F_NODAD;
	mnl_attr_put(nh, IFA_LOCAL, addr_len(ver), a->addr.b);
	mnl_attr_put(nh, IFA_ADDRESS, addr_len(ver), a->addr.b);
	return talk(l, nh, NULL, NULL);
}

/* Other addresses go first: one that differs from ours only in the length of
 * its prefix would keep the route of the other network. */
static int
set_addr(struct link *l, const char *name, const struct ifa *want)
{
	struct ifa_list list = {.index = want->index};
	char text[ADDR_TEXT_MAX];
	bool there = false;
	size_t i;
	int err = get_addrs(l, want->addr.ver, &list);

	for (i = 0; !err && i < list.n; i++) {
		struct ifa *a = &list.v[i];

		if (addr_eq(&a->addr, &want->addr) && a->len == want->len) {
			there = true;
		} else if (a->scope == RT_SCOPE_UNIVERSE) {
			log_notice("tun %s: taking off the address %s/%u", name,
				addr_format(&a->addr, text), a->len);
			err = change_addr(l, RTM_DELADDR, a);
		}
	}
	if (!err && !there)
		err = change_addr(l, RTM_NEWADDR, want);
	return err;
}

static int
set_mtu_up(struct link *l, int index, uint32_t mtu)
{
	char buf[256] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *nh = request(l, buf, RTM_NEWLINK, NLM_F_ACK);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nh, sizeof(*ifi));

	ifi->ifi_index = index;
	ifi->ifi_flags = IFF_UP;
	ifi->ifi_change = IFF_UP;
	mnl_attr_put_u32(nh, IFLA_MTU, mtu);
	return talk(l, nh, NULL, NULL);
}

static int
set_queue(struct link *l, int index)
{
	char buf[256] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *nh = request(l, buf, RTM_NEWLINK, NLM_F_ACK);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nh, sizeof(*ifi));

	ifi->ifi_index = index;
	mnl_attr_put_u32(nh, IFLA_TXQLEN, QUEUE);
	return talk(l, nh, NULL, NULL);
}

int
link_setup(struct link *l, const char *name, const struct addr *addr,
	const struct prefix *net, uint32_t mtu)
{
	struct ifa want = {.addr = *addr, .len = net->len};
	char text[ADDR_TEXT_MAX];
	struct link_state s;
	int err = link_get(l, name, &s);

	if (!err) {
		want.index = s.index;
		err = set_addr(l, name, &want);
	}
	if (err) {
		log_err_errno(-err, "tun %s: the address %s/%u can't be set",
			name, addr_format(addr, text), net->len);
		return err;
	}
	if (s.mtu != mtu || !s.up)
		err = set_mtu_up(l, s.index, mtu);
	if (err) {
		log_err_errno(
			-err, "tun %s: can't be set up with MTU %u", name, mtu);
		return err;
	}
	if (s.queue < QUEUE && set_queue(l, s.index))
		log_info(
			"tun %s: its queue stays at %u packets", name, s.queue);
	return 0;
}

struct route {
	int device;
	uint32_t mtu;	/* 0: the device's */
	bool exception; /* from an ICMP message; mtu does not count */
};

static uint32_t
metric_mtu(const struct nlattr *metrics)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, metrics)
	{
		if (mnl_attr_get_type(attr) == RTAX_MTU)
			return mnl_attr_get_u32(attr);
	}
	return 0;
}

static int
on_route(const struct nlmsghdr *nh, void *arg)
{
	struct route *r = arg;
	const struct nlattr *attr;
	struct rta_cacheinfo info;
	struct rbuf b;

	mnl_attr_for_each(attr, nh, sizeof(struct rtmsg))
	{
		switch (mnl_attr_get_type(attr)) {
		case RTA_OIF:
			r->device = (int)mnl_attr_get_u32(attr);
			break;
		case RTA_METRICS:
			r->mtu = metric_mtu(attr);
			break;
		case RTA_CACHEINFO:
			rbuf_init(&b, mnl_attr_get_payload(attr),
				mnl_attr_get_payload_len(attr));
			rbuf_bytes(&b, &info, sizeof(info));
			r->exception = rbuf_ok(&b) && info.rta_expires;
			break;
		}
	}
	return MNL_CB_OK;
}

static int
get_route(struct link *l, const struct addr *addr, uint32_t mark, int device,
	struct route *r)
{
	char buf[256] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *nh = request(l, buf, RTM_GETROUTE, NLM_F_ACK);
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(nh, sizeof(*rt));
	size_t len = addr_len(addr->ver);

	rt->rtm_family = addr->ver == 4 ? AF_INET : AF_INET6;
	rt->rtm_dst_len = (unsigned char)(8 * len);
	mnl_attr_put(nh, RTA_DST, len, addr->b);
	if (mark)
		mnl_attr_put_u32(nh, RTA_MARK, mark);
	if (device)
		mnl_attr_put_u32(nh, RTA_OIF, (uint32_t)device);
	return talk(l, nh, on_route, r);
}

int
link_route_mtu(struct link *l, const struct addr *addr, uint32_t mark,
	int device, uint32_t *mtu)
{
	struct route r = {0};
	struct link_state s;
	int err = get_route(l, addr, mark, device, &r);

	if (err)
		return err;
	if (!r.device)
		return -ENETUNREACH;
	err = get_by_index(l, r.device, &s);
	if (err)
		return err;
	*mtu = r.mtu && !r.exception && r.mtu < s.mtu ? r.mtu : s.mtu;
	return 0;
}

static bool
read_flag(const char *path, uint32_t *value)
{
	FILE *f = fopen(path, "re");
	bool ok;

	if (!f)
		return false;
	ok = fscanf(f, "%u", value) == 1;
	fclose(f);
	return ok;
}

/* The larger of the device's rp_filter and that of "all" counts, and 1 would
 * refuse our own address. */
int
link_accept_local(struct link *l, const char *name)
{
	char buf[256] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlattr *spec, *inet, *conf;
	struct ifinfomsg *ifi;
	struct nlmsghdr *nh;
	struct link_state s;
	uint32_t all = 0;
	bool strict;
	int err = link_get(l, name, &s);

	if (err)
		return err;
	if (!read_flag("/proc/sys/net/ipv4/conf/all/rp_filter", &all))
		all = RP_FILTER_STRICT;
	strict = s.rp_filter == RP_FILTER_STRICT ||
		 (all == RP_FILTER_STRICT && !s.rp_filter);
	if (s.accept_local && !strict)
		return 0;
	nh = request(l, buf, RTM_SETLINK, NLM_F_ACK);
	ifi = mnl_nlmsg_put_extra_header(nh, sizeof(*ifi));
	ifi->ifi_index = s.index;
	spec = mnl_attr_nest_start(nh, IFLA_AF_SPEC);
	inet = mnl_attr_nest_start(nh, AF_INET);
	conf = mnl_attr_nest_start(nh, IFLA_INET_CONF);
	mnl_attr_put_u32(nh, IPV4_DEVCONF_ACCEPT_LOCAL, 1);
	if (strict)
		mnl_attr_put_u32(nh, IPV4_DEVCONF_RP_FILTER, RP_FILTER_LOOSE);
	mnl_attr_nest_end(nh, conf);
	mnl_attr_nest_end(nh, inet);
	mnl_attr_nest_end(nh, spec);
	return talk(l, nh, NULL, NULL);
}

int
link_mtu_of(struct link *l, const struct addr *addr, uint32_t *mtu)
{
	struct ifa_list list = {.inside = addr};
	const struct ifa *best = NULL;
	struct link_state s;
	size_t i;
	int err = get_addrs(l, addr->ver, &list);

	for (i = 0; i < list.n; i++) {
		const struct ifa *a = &list.v[i];

		/* The interface that has the address itself, else the one
		 * with the narrowest network. */
		if (!best || addr_eq(&a->addr, addr) ||
			(!addr_eq(&best->addr, addr) && a->len > best->len))
			best = a;
	}
	if (!err && !best)
		err = -ENOENT;
	if (!err)
		err = get_by_index(l, best->index, &s);
	if (!err)
		*mtu = s.mtu;
	return err;
}

bool
link_forwarding(uint8_t ver)
{
	uint32_t v = 0;

	return read_flag(ver == 4 ? "/proc/sys/net/ipv4/ip_forward"
				  : "/proc/sys/net/ipv6/conf/all/forwarding",
		       &v) &&
	       v;
}
