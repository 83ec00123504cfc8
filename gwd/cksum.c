/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sum of 16-bit words is the same in either byte order but for the order of
 * its own two bytes (RFC 1071, 2 (B)).
 */
#include "gwd/cksum.h"

#define WIDE 128 /* bytes, from where wider registers pay */

/* In the order of this machine: of words so wide that a carry is not lost, a
 * loop that compilers turn into vector instructions (Makefile: -O3). */
static inline __attribute__((always_inline)) uint64_t
add_words(const uint8_t *p, size_t len)
{
	uint64_t sum = 0;
	uint32_t word;
	size_t i;

	for (i = 0; i < len / 4; i++) {
		memcpy(&word, p + 4 * i, 4);
		sum += word;
	}
	word = 0;
	memcpy(&word, p + 4 * i, len % 4);
	return sum + word;
}

#ifdef __x86_64__
/* The same with registers that most, not all, of these machines have. */
static __attribute__((target("avx2"))) uint64_t
add_words_avx2(const uint8_t *p, size_t len)
{
	return add_words(p, len);
}

static bool
has_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}
#else
#define add_words_avx2 add_words

static bool
has_avx2(void)
{
	return false;
}
#endif

static uint64_t
native_sum(const uint8_t *p, size_t len)
{
	return len >= WIDE && has_avx2() ? add_words_avx2(p, len)
					 : add_words(p, len);
}

uint32_t
cksum_sum(const void *p, size_t len)
{
	uint64_t sum;
	uint16_t folded;
	struct rbuf r;

	if (!len)
		return 0;
	sum = native_sum(p, len);
	/* a 32-bit word is 0x10000 * upper + lower, and 0x10000 counts as 1 */
	sum = (sum >> 32) + (sum & UINT32_MAX);
	sum = (sum >> 32) + (sum & UINT32_MAX);
	folded = cksum_fold((uint32_t)sum);
	rbuf_init(&r, &folded, sizeof(folded));
	return rbuf_be16(&r);
}

uint32_t
cksum_addr(const struct addr *a)
{
	uint32_t sum = 0;
	size_t i;

	/* unused bytes are zero */
	for (i = 0; i < sizeof(a->b); i += 2)
		sum += (uint32_t)a->b[i] << 8 | a->b[i + 1];
	return sum;
}

uint16_t
cksum_field(uint32_t sum)
{
	return (uint16_t)~cksum_fold(sum);
}

uint16_t
cksum_adjust(uint16_t field, uint32_t minus, uint32_t plus)
{
	uint32_t sum = (uint16_t)~field;

	sum += (uint16_t)~cksum_fold(minus);
	sum += cksum_fold(plus);
	return cksum_field(sum);
}
