/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One message of a socket with UDP_GRO: datagrams that the kernel has put one
 * behind the other, all of one size but the last, which may be shorter. Pure.
 */
#ifndef GWD_DATAGRAMS_H
#define GWD_DATAGRAMS_H

#include "libipref/base.h"

struct datagrams {
	const uint8_t *p; /* borrowed */
	size_t len;	  /* of all */
	size_t size;	  /* of each but the last; 0: there is only one */
};

/* How many there are: at least one, which may be empty. */
static inline size_t
datagrams_count(const struct datagrams *d)
{
	if (!d->size || d->len <= d->size)
		return 1;
	return (d->len + d->size - 1) / d->size;
}

/* The i-th from 0, i < datagrams_count(), and its length. */
static inline const uint8_t *
datagrams_get(const struct datagrams *d, size_t i, size_t *len)
{
	size_t at = i * d->size, left = d->len - at;

	*len = d->size && left > d->size ? d->size : left;
	return d->p + at;
}

#endif
