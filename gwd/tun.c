/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device made beforehand for several queues can only be attached to with that
 * flag, one made for a single queue only without it (EINVAL else), so both are
 * tried.
 */
#include "gwd/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "libipref/log.h"

#define CLONE_DEVICE "/dev/net/tun"

static int
attach(int fd, const char *name)
{
	static const short flags[] = {
		IFF_TUN | IFF_NO_PI, IFF_TUN | IFF_NO_PI | IFF_MULTI_QUEUE};
	struct ifreq ifr;
	size_t i;

	for (i = 0; i < ARRAY_LEN(flags); i++) {
		memset(&ifr, 0, sizeof(ifr));
		memcpy(ifr.ifr_name, name, strlen(name));
		ifr.ifr_flags = flags[i];
		if (!ioctl(fd, TUNSETIFF, &ifr))
			return 0;
		if (errno != EINVAL)
			break;
	}
	return -errno;
}

int
tun_open(const char *name, int *out)
{
	int fd, err;

	if (!name[0] || strlen(name) >= IFNAMSIZ) {
		log_err("tun %s: not a device's name", name);
		return -EINVAL;
	}
	fd = open(CLONE_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		err = errno;
		log_err_errno(err, "tun: %s can't be opened", CLONE_DEVICE);
		return -err;
	}
	err = attach(fd, name);
	if (err) {
		log_err_errno(-err, "tun %s: can't be made or attached to%s",
			name, err == -EBUSY ? ", another process has it" : "");
		close(fd);
		return err;
	}
	/* A device of somebody else's making is persistent already. */
	if (ioctl(fd, TUNSETPERSIST, 1))
		log_warn_errno(errno, "tun %s: not made persistent", name);
	*out = fd;
	return 0;
}

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
tun_write(int fd, const uint8_t *pkt, size_t len)
{
	ssize_t n;

	do
		n = write(fd, pkt, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}
