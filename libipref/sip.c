/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "libipref/sip.h"

#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/types.h>

/* Where the kernel's generator is not ready or not to be had, the random bytes
 * that it gave this process at its start serve as a key to derive the seed
 * from. */
void
sip_seed(uint64_t seed[2])
{
	const void *start;
	uint64_t key[2] = {0, 0};
	struct sip s;
	size_t i;

	if (getrandom(seed, 2 * sizeof(*seed), GRND_NONBLOCK) ==
		(ssize_t)(2 * sizeof(*seed)))
		return;
	start = (const void *)getauxval(AT_RANDOM);
	if (start)
		memcpy(key, start, sizeof(key));
	for (i = 0; i < 2; i++) {
		sip_init(&s, key);
		sip_word(&s, (uintptr_t)seed);
		sip_word(&s, i);
		seed[i] = sip_end(&s);
	}
}
