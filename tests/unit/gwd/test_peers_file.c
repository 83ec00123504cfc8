/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is kept of peers over a restart: lines, files, ages, and what is broken.
 */
#include "gwd/peers_file.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gwd/peers_text.h"
#include "libipref/log.h"
#include "tests/unit/run.h"

#define DAY 86400

static const struct peers_clock then = {5000000, 1763900000};

struct kept {
	struct peers_kept k;
	char dir[32], path[64];
};

static void
tables_new(struct peers_kept *k)
{
	k->peers = peers_new(64, 1045);
	k->paths = paths_new(64, PATHS_LOWEST_V4, 1500);
	k->ver = 4;
	ck_assert(k->peers && k->paths);
}

static void
tables_free(struct peers_kept *k)
{
	peers_free(k->peers);
	paths_free(k->paths);
}

static void
kept_init(struct kept *k)
{
	*k = (struct kept){.dir = "/tmp/ipref-peers.XXXXXX"};
	ck_assert_ptr_nonnull(mkdtemp(k->dir));
	snprintf(k->path, sizeof(k->path), "%s/state", k->dir);
	tables_new(&k->k);
}

static void
kept_fini(struct kept *k)
{
	tables_free(&k->k);
	(void)unlink(k->path);
	ck_assert_int_eq(rmdir(k->dir), 0);
}

static struct addr
peer_addr(uint8_t n)
{
	return (struct addr){4, {198, 51, 100, n}};
}

static void
prove(struct peers *p, uint8_t n, uint16_t port, uint64_t now)
{
	const struct endpoint from = {peer_addr(n), port};
	const struct addr to = {4, {192, 0, 2, n}};

	peers_heard(p, &from, &to, 10, now);
	(void)peers_sent(p, &from.addr, 10, now);
	peers_heard(p, &from, &to, 10, now);
}

static void
write_file(const struct kept *k, const char *text, size_t len)
{
	FILE *f = fopen(k->path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(text, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

START_TEST(test_lines)
{
	static const char *const good[] = {
		"peer 198.51.100.7 port 1045 to 192.0.2.1 heard 1763918000",
		"peer 198.51.100.7 port 65535 to - heard 0",
		"path 198.51.100.7 mtu 1400 until 1763918400",
	};
	char buf[PEERS_TEXT_MAX];
	struct peers_line l;
	size_t i;

	for (i = 0; i < ARRAY_LEN(good); i++) {
		ck_assert_ptr_null(peers_text_parse(&l, good[i], 4));
		ck_assert_str_eq(peers_text_format(&l, buf), good[i]);
		ck_assert_ptr_nonnull(peers_text_parse(&l, good[i], 6));
	}
	l = (struct peers_line){.kind = PEERS_KIND_PEER,
		.addr = {6, {0x20}},
		.to = {6, {0x30}},
		.port = 65535,
		.at_s = 999999999999};
	memset(l.addr.b + 1, 0xab, 15);
	memset(l.to.b + 1, 0xab, 15);
	ck_assert_ptr_null(peers_text_parse(&l, peers_text_format(&l, buf), 6));
}
END_TEST

/* A good line, broken at each place. */
START_TEST(test_broken_lines)
{
	static const char *const bad[] = {
		"",
		" ",
		"peer",
		"peer 198.51.100.7",
		"peer 198.51.100.7 port 0 to - heard 1",
		"peer 198.51.100.7 port 65536 to - heard 1",
		"peer 198.51.100.7 port -1 to - heard 1",
		"peer 198.51.100.7 port 1045 to x heard 1",
		"peer 198.51.100.7 port 1045 to 127.0.0.1 heard 1",
		"peer 198.51.100.7 port 1045 to - heard",
		"peer 198.51.100.7 port 1045 to - heard 9999999999999",
		"peer 198.51.100.7 port 1045 to - heard 1 more",
		"peer 198.51.100.7 heard 1 to - port 1045",
		"peer 127.0.0.1 port 1045 to - heard 1",
		"peer 2001:db8::1 port 1045 to - heard 1",
		"peers 198.51.100.7 port 1045 to - heard 1",
		"path 198.51.100.7 mtu 0 until 1",
		"path 198.51.100.7 mtu 65536 until 1",
		"path 198.51.100.7 mtu 1400",
	};
	char text[] = "peer 198.51.100.7 port 1045 to 192.0.2.1 heard 1";
	char longer[400];
	struct peers_line l;
	size_t i;

	for (i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(peers_text_parse(&l, bad[i], 4) != NULL, "\"%s\"",
			bad[i]);
	for (i = strlen(text) - 1; i > 0; i--) {
		text[i] = '\0';
		ck_assert_msg(
			peers_text_parse(&l, text, 4) != NULL, "\"%s\"", text);
	}
	memset(longer, '1', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	ck_assert_ptr_nonnull(peers_text_parse(&l, longer, 4));
}
END_TEST

START_TEST(test_round)
{
	struct addr a = peer_addr(1), b = peer_addr(2), c = peer_addr(3);
	const struct peers_clock later = {900000, then.wall_s + 60};
	struct peers_kept after;
	struct peer_way way;
	struct kept k;

	kept_init(&k);
	prove(k.k.peers, 1, 4001, then.now_ms - 5000);
	prove(k.k.peers, 2, 4002, then.now_ms - 1000);
	peers_heard(
		k.k.peers, &(struct endpoint){c, 4003}, NULL, 1, then.now_ms);
	paths_learn(k.k.paths, &a, 1300, then.now_ms);
	ck_assert_int_eq(peers_file_save(k.path, &k.k, &then), 0);

	tables_new(&after);
	ck_assert_int_eq(peers_file_load(k.path, &after, &later), 0);
	ck_assert_uint_eq(peers_count(after.peers), 2);
	ck_assert_uint_eq(peers_proved(after.peers), 2);
	ck_assert_ptr_null(peers_get(after.peers, &c)); /* nothing proved */
	ck_assert_uint_eq(peers_get(after.peers, &a)->heard_ms, 900000 - 65000);
	/* in the order of hearing */
	ck_assert(addr_eq(&peers_next_kept(after.peers, NULL)->addr, &a));
	way = peers_sent(after.peers, &b, 1, later.now_ms);
	ck_assert_uint_eq(way.port, 4002);
	ck_assert_uint_eq(way.src.b[3], 2);
	ck_assert_uint_eq(paths_get(after.paths, &a, later.now_ms), 1300);
	/* and not longer than it would have been */
	ck_assert_uint_eq(paths_get(after.paths, &a,
				  later.now_ms + PATHS_KEEP_MS - 59000),
		1500);
	tables_free(&after);
	kept_fini(&k);
}
END_TEST

/* Old ones are not believed; a clock that was set back harms nobody, nor does
 * a machine that has just started. */
START_TEST(test_ages)
{
	static const struct {
		int64_t later_s;
		uint64_t now_ms;
		bool known;
	} rows[] = {
		{0, 5000000, true},
		{DAY - 10, 100000, true},
		{DAY + 10, 500000000, false},
		{-DAY * 3650, 100, true},
	};
	struct peers_kept after;
	struct peers_clock at;
	struct kept k;
	size_t i;

	kept_init(&k);
	prove(k.k.peers, 1, 4001, then.now_ms);
	ck_assert_int_eq(peers_file_save(k.path, &k.k, &then), 0);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		at = (struct peers_clock){rows[i].now_ms,
			(uint64_t)((int64_t)then.wall_s + rows[i].later_s)};
		tables_new(&after);
		ck_assert_int_eq(peers_file_load(k.path, &after, &at), 0);
		ck_assert_msg(peers_count(after.peers) == rows[i].known,
			"row %zu", i);
		tables_free(&after);
	}
	/* Nor are they written. */
	at = (struct peers_clock){then.now_ms + DAY * 1000ull + 10000, 1};
	ck_assert_int_eq(peers_file_save(k.path, &k.k, &at), 0);
	tables_new(&after);
	ck_assert_int_eq(peers_file_load(k.path, &after, &at), 0);
	ck_assert_uint_eq(peers_count(after.peers), 0);
	tables_free(&after);
	kept_fini(&k);
}
END_TEST

/* What is good is taken, whatever stands around it. */
START_TEST(test_broken_file)
{
	static const char text[] =
		"gwd-state 1\n"
		"peer 198.51.100.1 port 1 to - heard 1763900000\n"
		"nonsense\n"
		"\n"
		"peer 198.51.100.2 port 2 to - heard 17639\0000\n"
		"peer 198.51.100.3 port 3 to - heard 1763900000\n"
		"peer 198.51.100.3 port 9 to - heard 1763900000\n"
		"path 198.51.100.3 mtu 4 until 1763900100\n"
		"peer 198.51.100.4 port 4 to - heard 17639";
	static const char *const others[] = {
		"", "gwd-state 2\n", "gwd-state 1", "\177ELF"};
	struct addr a = peer_addr(3);
	struct kept k;
	size_t i;

	kept_init(&k);
	write_file(&k, text, sizeof(text) - 1);
	ck_assert_int_eq(peers_file_load(k.path, &k.k, &then), 0);
	ck_assert_uint_eq(peers_count(k.k.peers), 2);
	ck_assert_uint_eq(peers_get(k.k.peers, &a)->port, 3);
	ck_assert_uint_ge(
		paths_get(k.k.paths, &a, then.now_ms), PATHS_LOWEST_V4);
	for (i = 0; i < ARRAY_LEN(others); i++) {
		write_file(&k, others[i], strlen(others[i]));
		ck_assert_int_eq(peers_file_load(k.path, &k.k, &then), -EINVAL);
	}
	kept_fini(&k);
}
END_TEST

/* A file is cut or changed at every byte: nothing worse than less known. */
START_TEST(test_damage)
{
	char text[1024];
	struct kept k;
	size_t len, i;
	FILE *f;

	kept_init(&k);
	for (i = 0; i < 4; i++)
		prove(k.k.peers, (uint8_t)i, 4000, then.now_ms);
	ck_assert_int_eq(peers_file_save(k.path, &k.k, &then), 0);
	f = fopen(k.path, "r");
	ck_assert_ptr_nonnull(f);
	len = fread(text, 1, sizeof(text), f);
	fclose(f);
	ck_assert_uint_lt(len, sizeof(text));
	for (i = 0; i < len; i++) {
		write_file(&k, text, i);
		(void)peers_file_load(k.path, &k.k, &then);
		text[i] ^= 0x15;
		write_file(&k, text, len);
		(void)peers_file_load(k.path, &k.k, &then);
		text[i] ^= 0x15;
	}
	kept_fini(&k);
}
END_TEST

/* Of others' making, or no file at all. */
START_TEST(test_refused)
{
	char other[80];
	struct kept k;

	kept_init(&k);
	ck_assert_int_eq(peers_file_load(k.path, &k.k, &then), -ENOENT);
	ck_assert_int_eq(mkdir(k.path, 0700), 0);
	ck_assert_int_eq(peers_file_load(k.path, &k.k, &then), -EINVAL);
	ck_assert_int_ne(peers_file_save(k.path, &k.k, &then), 0);
	ck_assert_int_eq(rmdir(k.path), 0);
	ck_assert_int_eq(mkfifo(k.path, 0600), 0);
	ck_assert_int_eq(peers_file_load(k.path, &k.k, &then), -EINVAL);
	ck_assert_int_eq(unlink(k.path), 0);
	snprintf(other, sizeof(other), "%s/other", k.dir);
	ck_assert_int_eq(symlink(other, k.path), 0);
	ck_assert_int_eq(peers_file_load(k.path, &k.k, &then), -ELOOP);
	/* A link in place of the new file is replaced, not followed. */
	ck_assert_int_eq(unlink(k.path), 0);
	snprintf(other, sizeof(other), "%s.tmp", k.path);
	ck_assert_int_eq(symlink("/nonexistent/x", other), 0);
	ck_assert_int_eq(peers_file_save(k.path, &k.k, &then), 0);
	ck_assert_int_ne(access(other, F_OK), 0);
	ck_assert_int_eq(
		peers_file_load("/nonexistent/d/f", &k.k, &then), -ENOENT);
	ck_assert_int_eq(
		peers_file_save("/nonexistent/d/f", &k.k, &then), -ENOENT);
	if (geteuid() == 0) {
		ck_assert_int_eq(chown(k.path, 65534, 65534), 0);
		ck_assert_int_eq(peers_file_load(k.path, &k.k, &then), -EPERM);
	}
	kept_fini(&k);
}
END_TEST

/* What the daemon does: loads when it starts, saves when it ends. */
START_TEST(test_life)
{
	struct event_base *base = event_base_new();
	struct addr a = peer_addr(1);
	struct peers_kept after;
	struct peers_file *f;
	struct kept k;

	kept_init(&k);
	f = peers_file_new(base, k.path, &k.k);
	ck_assert_ptr_nonnull(f);
	prove(k.k.peers, 1, 4001, now_ms());
	peers_file_free(f);
	tables_new(&after);
	f = peers_file_new(base, k.path, &after);
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(peers_get(after.peers, &a)->port, 4001);
	peers_file_free(f);
	peers_file_free(NULL);
	tables_free(&after);
	kept_fini(&k);
	event_base_free(base);
}
END_TEST

RUN_TESTS("gwd peers_file", test_lines, test_broken_lines, test_round,
	test_ages, test_broken_file, test_damage, test_refused, test_life)
