/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * To be preloaded: a kernel that takes less than ours does. REFUSE names what
 * it refuses, as NAME or NAME:N (only after the first N of them), separated by
 * spaces:
 *
 *	udp_segment	datagrams to be cut; EIO: no checksums on the way out
 *	udp_gro		to merge datagrams that come (ENOPROTOOPT)
 *	reuse_port	several sockets at one port (ENOPROTOOPT)
 *	tun_gso		packets written to a TUN device to be cut (EINVAL)
 *	tun_offload	offloads of a TUN device (EINVAL)
 *	tun_uso		of them, those of UDP (EINVAL: kernels before 6.2)
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

/* linux/udp.h, linux/if_tun.h: newer than Debian's headers. */
#define OPTION_UDP_SEGMENT 103
#define OPTION_UDP_GRO	   104
#define OFFLOADS_USO	   (0x20 | 0x40)

#define VNET_HEADER   10
#define VNET_GSO_TYPE 1 /* where it is */

enum refused {
	UDP_SEGMENT,
	UDP_GRO,
	REUSE_PORT,
	TUN_GSO,
	TUN_OFFLOAD,
	TUN_USO,
	REFUSED_N,
};

static const char *const names[REFUSED_N] = {
	[UDP_SEGMENT] = "udp_segment",
	[UDP_GRO] = "udp_gro",
	[REUSE_PORT] = "reuse_port",
	[TUN_GSO] = "tun_gso",
	[TUN_OFFLOAD] = "tun_offload",
	[TUN_USO] = "tun_uso",
};

/* How many of each pass before they are refused; negative: all. */
static atomic_long left[REFUSED_N];

__attribute__((constructor)) static void
begin(void)
{
	const char *text = getenv("REFUSE");
	char words[256], *word, *rest = words, *n;
	size_t i;

	snprintf(words, sizeof(words), "%s", text ? text : "");
	for (i = 0; i < REFUSED_N; i++)
		left[i] = -1;
	while ((word = strtok_r(rest, " ", &rest))) {
		n = strchr(word, ':');
		if (n)
			*n++ = '\0';
		for (i = 0; i < REFUSED_N && strcmp(word, names[i]) != 0; i++)
			;
		if (i == REFUSED_N)
			abort();
		left[i] = n ? strtol(n, NULL, 10) : 0;
	}
}

static bool
refuse(enum refused what)
{
	long n = left[what];

	while (n > 0 && !atomic_compare_exchange_weak(&left[what], &n, n - 1))
		;
	return n == 0;
}

static void *
real(const char *name)
{
	void *function = dlsym(RTLD_NEXT, name);

	if (!function)
		abort();
	return function;
}

/* --- sockets ------------------------------------------------------------- */

static bool
is_cut(const struct msghdr *mh)
{
	struct msghdr copy = *mh;
	struct cmsghdr *cm;

	for (cm = CMSG_FIRSTHDR(&copy); cm; cm = CMSG_NXTHDR(&copy, cm))
		if (cm->cmsg_level == IPPROTO_UDP &&
			cm->cmsg_type == OPTION_UDP_SEGMENT)
			return true;
	return false;
}

ssize_t
sendmsg(int fd, const struct msghdr *mh, int flags)
{
	ssize_t (*function)(int, const struct msghdr *, int) = real("sendmsg");

	if (is_cut(mh) && refuse(UDP_SEGMENT)) {
		errno = EIO;
		return -1;
	}
	return function(fd, mh, flags);
}

/* Those before the first refused one go. */
int
sendmmsg(int fd, struct mmsghdr *v, unsigned n, int flags)
{
	int (*function)(int, struct mmsghdr *, unsigned, int) =
		real("sendmmsg");
	unsigned i = 0;

	while (i < n && !(is_cut(&v[i].msg_hdr) && refuse(UDP_SEGMENT)))
		i++;
	if (n && !i) {
		errno = EIO;
		return -1;
	}
	return function(fd, v, i, flags);
}

int
setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	int (*function)(int, int, int, const void *, socklen_t) =
		real("setsockopt");

	if ((level == IPPROTO_UDP && name == OPTION_UDP_GRO &&
		    refuse(UDP_GRO)) ||
		(level == SOL_SOCKET && name == SO_REUSEPORT &&
			refuse(REUSE_PORT))) {
		errno = ENOPROTOOPT;
		return -1;
	}
	return function(fd, level, name, value, len);
}

/* --- the TUN device ------------------------------------------------------ */

static bool
is_tun(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISCHR(st.st_mode) &&
	       st.st_rdev == makedev(10, 200);
}

static bool
refuse_write(int fd, const void *bytes, size_t len)
{
	const unsigned char *header = bytes;

	if (len < VNET_HEADER || !header[VNET_GSO_TYPE] || !is_tun(fd) ||
		!refuse(TUN_GSO))
		return false;
	errno = EINVAL;
	return true;
}

ssize_t
writev(int fd, const struct iovec *v, int n)
{
	ssize_t (*function)(int, const struct iovec *, int) = real("writev");

	if (n && refuse_write(fd, v[0].iov_base, v[0].iov_len))
		return -1;
	return function(fd, v, n);
}

/* A packet without a header of the device begins with its version. */
ssize_t
write(int fd, const void *bytes, size_t len)
{
	ssize_t (*function)(int, const void *, size_t) = real("write");
	const unsigned char *p = bytes;

	if (len && p[0] >> 4 == 0 && refuse_write(fd, bytes, len))
		return -1;
	return function(fd, bytes, len);
}

int
ioctl(int fd, unsigned long request, ...)
{
	int (*function)(int, unsigned long, void *) = real("ioctl");
	unsigned long arg;
	va_list ap;

	va_start(ap, request);
	arg = va_arg(ap, unsigned long);
	va_end(ap);
	if (request == TUNSETOFFLOAD && arg &&
		(refuse(TUN_OFFLOAD) ||
			(arg & OFFLOADS_USO && refuse(TUN_USO)))) {
		errno = EINVAL;
		return -1;
	}
	return function(fd, request, (void *)arg);
}
