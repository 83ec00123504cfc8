/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records and messages as text, for tests of resolverd: records are written as
 * in a zone file (absolute names), messages are compared as sorted lines.
 */
#ifndef TESTS_UNIT_RESOLVERD_RECORDS_H
#define TESTS_UNIT_RESOLVERD_RECORDS_H

#include <check.h>
#include <ldns/ldns.h>
#include <string.h>

#include "resolverd/answer.h"

static inline struct name
named(const char *text)
{
	struct name n;

	ck_assert_msg(name_parse(&n, text, strlen(text)), "%s", text);
	return n;
}

/* "a.test. 60 IN A 192.0.2.1" into an answer. */
static inline void
add_text(struct answer *a, enum dns_section section, const char *text)
{
	ldns_rr *rr = NULL;
	ldns_buffer *b = ldns_buffer_new(512);
	ldns_status st = ldns_rr_new_frm_str(&rr, text, 0, NULL, NULL);
	struct name owner = {0};

	ck_assert_msg(st == LDNS_STATUS_OK, "%s: %s", text,
		ldns_get_errorstr_by_id(st));
	owner.len = (uint8_t)ldns_rdf_size(ldns_rr_owner(rr));
	memcpy(owner.b, ldns_rdf_data(ldns_rr_owner(rr)), owner.len);
	ck_assert_int_eq(ldns_rr_rdata2buffer_wire(b, rr), LDNS_STATUS_OK);
	answer_rr(a, section, &owner, (uint16_t)ldns_rr_get_type(rr),
		(uint16_t)ldns_rr_get_class(rr), ldns_rr_ttl(rr),
		ldns_buffer_begin(b), ldns_buffer_position(b));
	ldns_buffer_free(b);
	ldns_rr_free(rr);
}

static inline int
line_cmp(const void *a, const void *b)
{
	return strcmp(a, b);
}

#define LINE_MAX_LEN 300

/* A section of a whole message as lines "owner TTL class type data", sorted,
 * without OPT; each ends with a newline. */
static inline const char *
section_text(
	const uint8_t *msg, size_t len, ldns_pkt_section section, char *buf)
{
	char lines[256][LINE_MAX_LEN];
	ldns_rr_list *list;
	ldns_pkt *pkt = NULL;
	size_t i, n;
	char *text, *p;

	ck_assert_int_eq(ldns_wire2pkt(&pkt, msg, len), LDNS_STATUS_OK);
	list = ldns_pkt_get_section_clone(pkt, section);
	n = ldns_rr_list_rr_count(list);
	ck_assert_uint_le(n, 256);
	for (i = 0; i < n; i++) {
		text = ldns_rr2str(ldns_rr_list_rr(list, i));
		for (p = text; *p; p++)
			if (*p == '\t')
				*p = ' ';
		snprintf(lines[i], LINE_MAX_LEN, "%s", text);
		free(text);
	}
	qsort(lines, n, LINE_MAX_LEN, line_cmp);
	*buf = '\0';
	for (i = 0; i < n; i++)
		strcat(buf, lines[i]);
	ldns_rr_list_deep_free(list);
	ldns_pkt_free(pkt);
	return buf;
}

/* A head for an answer to "name type". */
static inline struct answer_head
head_for(const char *name, uint16_t type)
{
	struct answer_head h = {.id = 0x1234,
		.flags = DNS_RD,
		.has_question = true,
		.limit = DNS_MESSAGE_MAX};

	h.question.name = named(name);
	h.question.type = type;
	h.question.class = DNS_CLASS_IN;
	return h;
}

#endif
