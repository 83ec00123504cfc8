/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The letters of sqlbind.h. SQLite has signed numbers: ours go in and come out
 * bit by bit. */
#include "mapperd/sqlbind.h"

#include <string.h>

/* The version of an address by the length of its bytes; 0: no address. */
static uint8_t
blob_version(int len)
{
	return len == 4 ? 4 : len == 16 ? 6 : 0;
}

static bool
column_addr(sqlite3_stmt *st, int col, struct addr *out)
{
	const void *bytes = sqlite3_column_blob(st, col);
	uint8_t ver = blob_version(sqlite3_column_bytes(st, col));

	if (!bytes || !ver)
		return false;
	*out = addr_from_bytes(ver, bytes);
	return true;
}

static bool
column_ref(sqlite3_stmt *st, int col, struct ref *out)
{
	const void *blob = sqlite3_column_blob(st, col);

	if (!blob || sqlite3_column_bytes(st, col) != REF_LEN)
		return false;
	memcpy(out->b, blob, REF_LEN);
	return true;
}

static bool
column_text(sqlite3_stmt *st, int col, char *out, size_t size)
{
	const unsigned char *text = sqlite3_column_text(st, col);
	size_t len = (size_t)sqlite3_column_bytes(st, col);

	if (!text || len >= size || strlen((const char *)text) != len)
		return false;
	memcpy(out, text, len + 1);
	return true;
}

static bool
column_number(sqlite3_stmt *st, int col, uint64_t max, uint64_t *out)
{
	*out = (uint64_t)sqlite3_column_int64(st, col);
	return sqlite3_column_type(st, col) == SQLITE_INTEGER && *out <= max;
}

static bool
read_number(sqlite3_stmt *st, int col, char letter, struct op *op)
{
	struct entry_data *d = &op->data;
	uint64_t n;

	switch (letter) {
	case 'K':
		if (!column_number(st, col, 1, &n))
			return false;
		d->kind = n ? ENTRY_LOCAL : ENTRY_REMOTE;
		return true;
	case 'o':
		if (!column_number(st, col, UINT32_MAX, &n))
			return false;
		d->owner = (uint32_t)n;
		return true;
	case 'c':
		if (!column_number(st, col, CAUSE_PEER, &n))
			return false;
		d->cause = (enum entry_cause)n;
		return true;
	case 'k':
		if (!column_number(st, col, UINT32_MAX, &n))
			return false;
		op->count = (uint32_t)n;
		return true;
	case 'm':
		return column_number(st, col, UINT64_MAX, &d->made);
	case 'e':
		return column_number(st, col, UINT64_MAX, &d->expires);
	case 'b':
		return column_number(st, col, UINT64_MAX, &d->born);
	case 'h':
		return column_number(st, col, UINT64_MAX, &op->hash);
	default: /* y */
		if (!column_number(st, col, 1, &n))
			return false;
		op->held = n != 0;
		return true;
	}
}

bool
sqlbind_read(sqlite3_stmt *st, int col, char letter, struct op *op,
	struct source *so)
{
	struct entry_data *d = &op->data;

	switch (letter) {
	case 'a':
		return column_addr(st, col, &d->addr);
	case 'g':
		return column_addr(st, col, &d->key.gw);
	case 'r':
		return column_ref(st, col, &d->key.ref);
	case 'v':
		return d->kind == ENTRY_REMOTE
			       ? column_addr(st, col, &d->addr)
			       : column_ref(st, col, &d->key.ref);
	case 'n':
		d->name = (const char *)sqlite3_column_text(st, col);
		return true;
	case 'L':
		return column_text(st, col, so->local, sizeof(so->local));
	case 'D':
		return column_text(st, col, so->domain, sizeof(so->domain));
	default:
		return read_number(st, col, letter, op);
	}
}

static int
bind_addr(sqlite3_stmt *st, int i, const struct addr *a)
{
	return sqlite3_bind_blob(
		st, i, a->b, (int)addr_len(a->ver), SQLITE_STATIC);
}

int
sqlbind_write(sqlite3_stmt *st, int i, char letter, const struct op *op,
	uint64_t revision)
{
	const struct entry_data *d = &op->data;

	switch (letter) {
	case 'a':
		return bind_addr(st, i, &d->addr);
	case 'g':
		return bind_addr(st, i, &d->key.gw);
	case 'v':
		if (d->kind == ENTRY_REMOTE)
			return bind_addr(st, i, &d->addr);
		/* a reference */
		__attribute__((fallthrough));
	case 'r':
		return sqlite3_bind_blob(
			st, i, d->key.ref.b, REF_LEN, SQLITE_STATIC);
	case 'K':
		return sqlite3_bind_int(st, i, d->kind == ENTRY_LOCAL);
	case 'o':
		return sqlite3_bind_int64(st, i, d->owner);
	case 'c':
		return sqlite3_bind_int(st, i, (int)d->cause);
	case 'm':
		return sqlite3_bind_int64(st, i, (sqlite3_int64)d->made);
	case 'e':
		return sqlite3_bind_int64(st, i, (sqlite3_int64)d->expires);
	case 'b':
		return sqlite3_bind_int64(st, i, (sqlite3_int64)revision);
	case 'n':
		return sqlite3_bind_text(st, i, d->name, -1, SQLITE_STATIC);
	case 'h':
		return sqlite3_bind_int64(st, i, (sqlite3_int64)op->hash);
	case 'k':
		return sqlite3_bind_int64(st, i, op->count);
	case 'y':
		return sqlite3_bind_int(st, i, op->held);
	case 'L':
		return sqlite3_bind_text(
			st, i, op->source->local, -1, SQLITE_STATIC);
	default: /* D */
		return sqlite3_bind_text(
			st, i, op->source->domain, -1, SQLITE_STATIC);
	}
}
