/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A socket stays in the namespace it was made in: only its making needs to be
 * there. */
#include "path_net.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define BUFFER (4 << 20)

static cpu_set_t cpus;

static void
find_cpus(void)
{
	sched_getaffinity(0, sizeof(cpus), &cpus);
}

int
path_enter(const char *ns)
{
	char path[256];
	int fd, err;

	snprintf(path, sizeof(path), "/run/netns/%s", ns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = setns(fd, CLONE_NEWNET) ? -errno : 0;
	close(fd);
	return err;
}

/* The first and the second of the CPUs that the process may use, as it was
 * started with them. */
void
path_pin(enum path_end end)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int cpu, left = (int)end;
	cpu_set_t one;

	pthread_once(&once, find_cpus);
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &cpus) && !left--)
			break;
	if (cpu == CPU_SETSIZE)
		return;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

static int
enter(const char *ns, int *home)
{
	int err;

	*home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (*home < 0)
		return -errno;
	err = path_enter(ns);
	if (err)
		close(*home);
	return err;
}

static int
go_home(int home)
{
	int err = setns(home, CLONE_NEWNET) ? -errno : 0;

	close(home);
	return err;
}

static int
prepare(int fd, unsigned timeout_ms)
{
	const struct timeval tv = {
		.tv_sec = timeout_ms / 1000,
		.tv_usec = timeout_ms % 1000 * 1000,
	};
	const int size = BUFFER;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) ||
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) ||
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		return -errno;
	return 0;
}

int
path_socket(
	const char *ns, uint8_t ver, int type, unsigned timeout_ms, int *out)
{
	int fd, home, back, err = enter(ns, &home);

	if (err)
		return err;
	fd = socket(ver == 4 ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0);
	err = fd < 0 ? -errno : prepare(fd, timeout_ms);
	back = go_home(home);
	if (!err)
		err = back;
	if (err && fd >= 0)
		close(fd);
	*out = fd;
	return err;
}

int
path_listen(const char *ns, uint8_t ver, int type, uint16_t port,
	unsigned timeout_ms, int *out)
{
	const struct addr any = addr_zero(ver);
	struct sockaddr_storage ss;
	socklen_t len;
	const int one = 1;
	int err = path_socket(ns, ver, type, timeout_ms, out);

	if (err)
		return err;
	addr_to_sockaddr(&any, port, &ss, &len);
	if (setsockopt(*out, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
		bind(*out, (const struct sockaddr *)&ss, len) ||
		(type == SOCK_STREAM && listen(*out, SOMAXCONN))) {
		err = -errno;
		close(*out);
	}
	return err;
}

int
path_connect(int fd, const struct addr *addr, uint16_t port)
{
	struct sockaddr_storage ss;
	socklen_t len;

	addr_to_sockaddr(addr, port, &ss, &len);
	return connect(fd, (const struct sockaddr *)&ss, len) ? -errno : 0;
}

/* The tenth number of the device's line. */
static int
read_sent(FILE *f, const char *device, uint64_t *out)
{
	char line[512], name[64];
	unsigned long long n;

	while (fgets(line, sizeof(line), f))
		if (sscanf(line,
			    " %63[^:]: %*u %*u %*u %*u %*u %*u %*u %*u "
			    "%*u %llu",
			    name, &n) == 2 &&
			!strcmp(name, device)) {
			*out = n;
			return 0;
		}
	return -ENODEV;
}

int
path_sent_by(const char *ns, const char *device, uint64_t *out)
{
	int home, back, err = enter(ns, &home);
	FILE *f;

	if (err)
		return err;
	f = fopen("/proc/thread-self/net/dev", "re");
	err = f ? read_sent(f, device, out) : -errno;
	if (f)
		fclose(f);
	back = go_home(home);
	return err ? err : back;
}
