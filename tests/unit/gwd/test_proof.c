/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which packets prove a tentative entry: in, then out, then in. */
#include "gwd/proof.h"
#include "tests/unit/run.h"

static const struct row {
	const char *why;
	const char *packets; /* i: in, o: out */
	int proved_by;	     /* which of them; -1: none */
} rows[] = {
	{"nothing", "", -1},
	{"a made-up packet", "i", -1},
	{"... that the host answers with RST or SYN-ACK", "io", -1},
	{"... and a SYN-ACK that it sends again", "iooo", -1},
	{"many made-up packets", "iiiiii", -1},
	{"... and an answer", "iiiio", -1},
	{"a conversation", "ioi", 2},
	{"in, in, out", "iio", -1},
	{"out, in", "oi", -1},
	{"out, in, out", "oio", -1},
	{"a host that speaks first", "oioi", 3},
	{"packets that are no step between", "iiooi", 4},
	{"once", "ioiioioi", 2},
};

/* A packet, and what its carrier does. */
static void
pass(struct proofs *ps, struct proof *p, enum way way)
{
	if (proof_step(p, way))
		proofs_look(ps, p);
}

START_TEST(test_steps)
{
	struct proofs ps;
	struct proof p;
	const char *c;
	size_t i;
	int n, by;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		proofs_init(&ps);
		proofs_add(&ps, &p);
		by = -1;
		for (n = 0, c = rows[i].packets; *c; c++, n++) {
			pass(&ps, &p, *c == 'i' ? WAY_IN : WAY_OUT);
			if (!proofs_take(&ps))
				continue;
			ck_assert_msg(by < 0, "%s: twice", rows[i].why);
			by = n;
		}
		ck_assert_msg(
			by == rows[i].proved_by, "%s: by %d", rows[i].why, by);
		proofs_del(&ps, &p);
		ck_assert_uint_eq(ps.n, 0);
	}
}
END_TEST

/* Each by itself, in the order in which they were proved. */
START_TEST(test_order)
{
	static const enum way ways[] = {WAY_IN, WAY_OUT, WAY_IN};
	struct proofs ps;
	struct proof p[3];
	size_t i, k;

	proofs_init(&ps);
	for (i = 0; i < 3; i++)
		proofs_add(&ps, &p[i]);
	for (k = 0; k < 3; k++)
		for (i = 3; i-- > 0;)
			pass(&ps, &p[i], ways[k]);
	proofs_del(&ps, &p[1]); /* noted, and gone before it is taken */
	ck_assert_ptr_eq(proofs_take(&ps), &p[2]);
	ck_assert_ptr_eq(proofs_take(&ps), &p[0]);
	ck_assert_ptr_null(proofs_take(&ps));
	proofs_note(&ps, &p[2]);
	proofs_note(&ps, &p[2]);
	ck_assert_ptr_eq(proofs_take(&ps), &p[2]);
	ck_assert_ptr_null(proofs_take(&ps));
	ck_assert_uint_eq(ps.n, 2);
}
END_TEST

/* Only what was taken begins anew. */
START_TEST(test_anew)
{
	struct proofs ps;
	struct proof p;

	proofs_init(&ps);
	proofs_add(&ps, &p);
	pass(&ps, &p, WAY_IN);
	proofs_anew(&p);
	pass(&ps, &p, WAY_OUT);
	proofs_anew(&p);
	pass(&ps, &p, WAY_IN);
	proofs_anew(&p);
	ck_assert_ptr_eq(proofs_take(&ps), &p);
	proofs_anew(&p);
	pass(&ps, &p, WAY_IN);
	pass(&ps, &p, WAY_OUT);
	ck_assert_ptr_null(proofs_take(&ps));
	pass(&ps, &p, WAY_IN);
	ck_assert_ptr_eq(proofs_take(&ps), &p);
}
END_TEST

RUN_TESTS("gwd proof", test_steps, test_order, test_anew)
