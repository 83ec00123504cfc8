/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is read about peers: lines of the state file, which mean the same when
 * they are written again, and of the settings.
 *
 * Input: 0 for IPv4, else IPv6; then a line.
 */
#include <stdlib.h>
#include <string.h>

#include "gwd/peer_conf.h"
#include "gwd/peers_text.h"
#include "tests/fuzz/gwd/gateway.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
state(const char *text, uint8_t ver)
{
	struct peers_line l, again;
	char buf[PEERS_TEXT_MAX];
	const char *why = peers_text_parse(&l, text, ver);

	if (why) {
		REQUIRE(*why);
		return;
	}
	REQUIRE(l.addr.ver == ver);
	peers_text_format(&l, buf);
	REQUIRE(strlen(buf) < sizeof(buf));
	REQUIRE(!peers_text_parse(&again, buf, ver));
	REQUIRE(again.kind == l.kind && addr_eq(&again.addr, &l.addr));
	REQUIRE(again.port == l.port && again.mtu == l.mtu);
	REQUIRE(again.at_s == l.at_s && addr_eq(&again.to, &l.to));
}

static void
setting(const char *text, uint8_t ver)
{
	struct peer_conf c;
	char why[64] = "";

	if (peer_conf_parse(&c, text, ver, why, sizeof(why)))
		REQUIRE(c.addr.ver == ver && !addr_is_zero(&c.addr));
	else
		REQUIRE(*why && strlen(why) < sizeof(why));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (!size)
		return 0;
	text = malloc(size);
	REQUIRE(text);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	state(text, data[0] ? 6 : 4);
	setting(text, data[0] ? 6 : 4);
	free(text);
	return 0;
}
