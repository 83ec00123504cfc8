/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mapper protocol: decoding, encoding, validity and text form of every
 * message, all driven by the rows of proto/mapper.def (layouts:
 * proto/mapper.md).
 *
 * A message is decoded into a struct msg whose strings and record lists point
 * into the packet and die with it; what a row does not name stays zero. To
 * encode, the same struct is filled by hand. No sockets, no allocation, no
 * logging. The two dialects differ in the header's version byte and in address
 * records only; which one is spoken belongs to the connection.
 */
#ifndef LIBIPREF_MSG_H
#define LIBIPREF_MSG_H

#include "libipref/addr.h"
#include "libipref/base.h"
#include "libipref/ref.h"
#include "libipref/text.h"

#define MSG_SIGNATURE 0x11
#define MSG_HEADER    8
#define MSG_MAX	      65536 /* bytes, the largest packet on a mapper socket */
#define MSG_BATCH_MAX 1200  /* bytes an agent puts into one packet */

enum msg_cmd {
#define MSG(name, nr, sender, how, req, ack, nack) MSG_##name = nr,
#include "proto/mapper.def"
#undef MSG
};
#define MSG_N_CMDS 64 /* commands have 6 bits: size of a table by command */

enum msg_mode {
	MSG_DATA,
	MSG_REQ,
	MSG_ACK,
	MSG_NACK
};

enum msg_sender {
	MSG_SENDER_ANY,
	MSG_SENDER_MAPPER,
	MSG_SENDER_GATEWAY,
	MSG_SENDER_RESOLVER,
	MSG_SENDER_AGENT,
};

enum msg_dialect {
	MSG_DIALECT_UNKNOWN, /* nothing heard yet; a client may not send so */
	MSG_DIALECT_1,	     /* versions in the header */
	MSG_DIALECT_2,	     /* versions in each address record */
};

/* What a connection has agreed on. */
struct msg_format {
	uint8_t local_ver;  /* of ea and ip: 4 or 6 */
	uint8_t tunnel_ver; /* of gw: 4 or 6 */
	enum msg_dialect dialect;
};

/* An address record. Absent addresses are all-zeros of their version; version
 * 0 is taken for that when encoding. */
struct arec {
	struct addr ea, ip; /* local version */
	struct addr gw;	    /* tunnel version */
	struct ref ref;
};

struct msg_mark {
	uint32_t owner, mark;
};

struct msg_str {
	const char *p; /* not terminated; borrowed */
	size_t len;    /* 1 to 255; 0: absent */
};

/* What mapper and gateway must agree on (item P). */
struct msg_profile {
	struct prefix encode_net; /* local version */
	struct addr pub;	  /* tunnel version; zeros: not known */
	struct ref own_ref;
};

/* An entry of the feed (item X). */
struct msg_entry {
	uint32_t flags; /* MSG_ENTRY_* */
	uint64_t born;	/* revision that made the entry: the lower, the longer
			 * it has been in force */
	struct arec arec;
};
enum {
	MSG_ENTRY_LISTED = 1,	 /* of a source or hosts file, not dynamic */
	MSG_ENTRY_TENTATIVE = 2, /* design: unsolicited mappings */
};

enum msg_error {
	MSG_OK,
	MSG_SHORT,	/* fewer than 8 bytes */
	MSG_UNALIGNED,	/* not a multiple of 4 */
	MSG_BAD_LENGTH, /* disagrees with its length field */
	MSG_BAD_SIGNATURE,
	MSG_BAD_RESERVED, /* byte 5 is not zero */
	MSG_BAD_VERSION, /* IP versions other than agreed, or another dialect */
	MSG_UNKNOWN,	 /* no such command */
	MSG_BAD_MODE,	 /* the command has no such packet */
	MSG_BAD_ITEMS,	 /* cut, too long, or an item that makes no sense */
	MSG_TOO_BIG,	 /* encoding: does not fit */
	MSG_N_ERRORS,
};

struct msg {
	enum msg_mode mode;
	uint8_t cmd;			 /* enum msg_cmd */
	uint16_t id;			 /* 0: not used for requests */
	struct msg_mark mark;		 /* M */
	uint32_t count;			 /* B, C, U: batch id, records, kind */
	uint64_t hash;			 /* H */
	uint64_t store;			 /* I */
	uint64_t revision;		 /* R */
	struct msg_str str;		 /* S */
	struct msg_str local, domain;	 /* O */
	struct msg_profile profile;	 /* P */
	size_t n;			 /* records of A, A*, X* */
	const uint8_t *raw;		 /* decoded: the records' bytes, for
					  * msg_arec() and msg_entry() */
	struct msg_format fmt;		 /* decoded: how raw is laid out */
	const struct arec *arecs;	 /* to encode: n of them */
	const struct msg_entry *entries; /* to encode: n of them */
};

/* Decodes one packet. fmt says what the connection speaks; with
 * MSG_DIALECT_UNKNOWN the packet's byte 4 decides and the answer is in
 * m->fmt.dialect. On an error m holds the header as far as it could be read.
 * m->id may be 0: deployed mappers answer that too. */
enum msg_error msg_decode(struct msg *m, const struct msg_format *fmt,
	const uint8_t *pkt, size_t len) MUSTCHECK;
/* Record i of a decoded message (all zeros unless i < m->n). */
struct arec msg_arec(const struct msg *m, size_t i);
struct msg_entry msg_entry(const struct msg *m, size_t i);

/* Encodes m into buf; *len receives the packet's bytes. A message that its row
 * does not allow is MSG_BAD_ITEMS or MSG_BAD_MODE; addresses of other versions
 * than fmt's are MSG_BAD_ITEMS. What its row does not name is left out, so that
 * an answer can begin as a copy of the request. Decoded messages encode to the
 * same bytes, but for padding, or into the other dialect (arecs and entries
 * NULL: the records are taken from raw, which is of the same kind still). */
enum msg_error msg_encode(const struct msg *m, const struct msg_format *fmt,
	uint8_t *buf, size_t size, size_t *len) MUSTCHECK;

/* Bytes of one address record in this format: 28 to 68. */
size_t msg_arec_len(const struct msg_format *fmt);
/* Bytes of one feed entry in this format. */
size_t msg_entry_len(const struct msg_format *fmt);

/* "MC_GET_EA", or the number for an unknown command (static text). */
const char *msg_cmd_name(uint8_t cmd);
const char *msg_mode_name(enum msg_mode mode);
const char *msg_error_text(enum msg_error e);
enum msg_sender msg_cmd_sender(uint8_t cmd);
/* A command of proto/mapper.def. */
bool msg_cmd_known(uint8_t cmd);
/* One line for traces: "REQ MC_GET_EA 64405 arec ea - ip - gw 192.0.2.1 ref 5
 * name h1.one.test."; always terminated, cut with "..." when it does not fit.
 */
void msg_format_text(const struct msg *m, char *buf, size_t size);

/* The hash of a set of host records (mapper.md, "MC_HOST_DATA"): sorts arecs
 * in place by gw (numeric, IPv4 first) and reference, then ip; drops nothing:
 * the caller passes distinct records, whose zero addresses have their
 * version. */
uint64_t msg_set_hash(struct arec *arecs, size_t n);
#define MSG_EMPTY_SET_HASH UINT64_C(0xcbf29ce484222325)
int arec_cmp(const void *a, const void *b); /* the order above, for qsort */

/* Copies an item O into a source, in lower case and without last dots; false
 * when a part has a NUL byte or a colon, or is empty then. */
bool msg_source(const struct msg *m, struct source *s) MUSTCHECK;
/* Fills item O from a source, which m then borrows. */
void msg_set_source(struct msg *m, const struct source *s);

#endif
