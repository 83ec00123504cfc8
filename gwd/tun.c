/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device made for several readers can only be attached to with that flag, one
 * made for a single reader only without it (EINVAL else), so both are tried.
 *
 * The kernel refuses a second process (EBUSY) only when the device is for one
 * reader; else we have to look who is there.
 */
#include "gwd/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gwd/link.h"
#include "gwd/offload.h"
#include "libipref/log.h"

#define CLONE_DEVICE "/dev/net/tun"

#define PLAIN (IFF_TUN | IFF_NO_PI)
#define QUEUE (PLAIN | IFF_VNET_HDR)

static int
attach(const char *name, short flags, int *out)
{
	struct ifreq ifr = {.ifr_flags = flags};
	int err, fd = open(CLONE_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	memcpy(ifr.ifr_name, name, strlen(name));
	if (ioctl(fd, TUNSETIFF, &ifr)) {
		err = errno;
		close(fd);
		return -err;
	}
	*out = fd;
	return 0;
}

static int
check_name(const char *name)
{
	if (name[0] && strlen(name) < IFNAMSIZ)
		return 0;
	log_err("tun %s: not a device's name", name);
	return -EINVAL;
}

static int
failed(const char *name, int err)
{
	log_err_errno(-err, "tun %s: can't be made or attached to%s", name,
		err == -EBUSY ? ", another process has it" : "");
	return err;
}

/* A device of somebody else's making is persistent already. */
static void
make_persistent(int fd, const char *name)
{
	if (ioctl(fd, TUNSETPERSIST, 1))
		log_warn_errno(errno, "tun %s: not made persistent", name);
}

/* Offloads are the device's: of whoever had it before. */
static int
no_offloads(int fd)
{
	return ioctl(fd, TUNSETOFFLOAD, 0) ? -errno : 0;
}

/* The first reader switches the carrier on. The kernel takes note of that a
 * moment later and drops packets until then, unless it is asked. */
static void
settle(const char *name)
{
	struct ethtool_value v = {.cmd = ETHTOOL_GLINK};
	struct ifreq ifr = {.ifr_data = (char *)&v};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	memcpy(ifr.ifr_name, name, strlen(name));
	(void)ioctl(fd, SIOCETHTOOL, &ifr);
	close(fd);
}

int
tun_open(const char *name, int *out)
{
	int err = check_name(name);

	if (err)
		return err;
	err = attach(name, PLAIN, out);
	if (err == -EINVAL)
		err = attach(name, PLAIN | IFF_MULTI_QUEUE, out);
	if (err)
		return failed(name, err);
	err = no_offloads(*out);
	if (err) {
		close(*out);
		return failed(name, err);
	}
	make_persistent(*out, name);
	settle(name);
	return 0;
}

/* --- queues ------------------------------------------------------------- */

/* The header's length is the device's, too. */
static int
prepare(int fd)
{
	static const int header = OFFLOAD_HEADER;

	if (ioctl(fd, TUNSETVNETHDRSZ, &header))
		return -errno;
	return no_offloads(fd);
}

/* The first queue; *flags: how others can be attached. */
static int
attach_first(struct link *l, const char *name, short *flags, int *fd)
{
	struct link_state s;
	int err = link_get(l, name, &s);

	if (err && err != -ENODEV)
		return err;
	if (!err && s.readers)
		return -EBUSY;
	*flags = QUEUE | IFF_MULTI_QUEUE;
	err = attach(name, *flags, fd);
	if (err != -EINVAL)
		return err;
	*flags = QUEUE;
	return attach(name, *flags, fd);
}

/* Returns how many there are. */
static unsigned
attach_others(const char *name, short flags, unsigned wanted, int *fds)
{
	unsigned n = 1;
	int err = 0;

	if (wanted > 1 && !(flags & IFF_MULTI_QUEUE)) {
		log_warn("tun %s: was made for one reader, so that one worker "
			 "has all the work; for %u, stop, remove the device "
			 "(ip link delete %s), and start again",
			name, wanted, name);
		return n;
	}
	while (n < wanted && !err) {
		err = attach(name, flags, &fds[n]);
		if (!err)
			n++;
	}
	if (err)
		log_warn_errno(-err, "tun %s: %u queues instead of %u", name, n,
			wanted);
	return n;
}

int
tun_open_queues(struct link *l, const char *name, unsigned wanted, int *fds,
	unsigned *n)
{
	short flags;
	int err = check_name(name);

	if (err)
		return err;
	err = attach_first(l, name, &flags, &fds[0]);
	if (err)
		return failed(name, err);
	err = prepare(fds[0]);
	if (err) {
		log_err_errno(-err, "tun %s: no headers before packets", name);
		close(fds[0]);
		return err;
	}
	make_persistent(fds[0], name);
	*n = attach_others(name, flags, wanted, fds);
	settle(name);
	return 0;
}

static unsigned
offload_flags(const struct tun_offload *o)
{
	unsigned flags = 0;

	if (o->tso)
		flags |= TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
	if (o->uso)
		flags |= TUN_F_CSUM | TUN_F_USO4 | TUN_F_USO6;
	return flags;
}

int
tun_offload(int fd, struct tun_offload *o)
{
	const struct tun_offload tries[] = {*o, {.tso = o->tso}, {0}};
	size_t i;

	for (i = 0; i < ARRAY_LEN(tries); i++) {
		if (!ioctl(fd, TUNSETOFFLOAD, offload_flags(&tries[i]))) {
			*o = tries[i];
			return 0;
		}
	}
	return -errno;
}

/* --- packets ------------------------------------------------------------ */

ssize_t
tun_read(int fd, uint8_t *buf, size_t size)
{
	ssize_t n;

	do
		n = read(fd, buf, size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int
tun_writev(int fd, const struct iovec *iov, int n)
{
	ssize_t len;

	do
		len = writev(fd, iov, n);
	while (len < 0 && errno == EINTR);
	return len < 0 ? -errno : 0;
}
