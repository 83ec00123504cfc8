/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The letters of sqlbind.h. SQLite has signed numbers: ours go in and come out
 * bit by bit. */
#include "mapperd/sqlbind.h"

#include <stdio.h>
#include <string.h>

/* The version of an address by the length of its bytes; 0: no address. */
static uint8_t
blob_version(int len)
{
	return len == 4 ? 4 : len == 16 ? 6 : 0;
}

static struct addr
column_addr(sqlite3_stmt *st, int col)
{
	uint8_t ver = blob_version(sqlite3_column_bytes(st, col));

	if (!ver)
		return (struct addr){0};
	return addr_from_bytes(ver, sqlite3_column_blob(st, col));
}

static struct ref
column_ref(sqlite3_stmt *st, int col)
{
	struct ref r = {{0}};
	const void *blob = sqlite3_column_blob(st, col);

	if (blob && sqlite3_column_bytes(st, col) == REF_LEN)
		memcpy(r.b, blob, REF_LEN);
	return r;
}

static void
column_text(sqlite3_stmt *st, int col, char *out, size_t size)
{
	const unsigned char *text = sqlite3_column_text(st, col);

	snprintf(out, size, "%s", text ? (const char *)text : "");
}

void
sqlbind_read(sqlite3_stmt *st, int col, char letter, struct op *op,
	struct source *so)
{
	struct entry_data *d = &op->data;
	uint64_t n = (uint64_t)sqlite3_column_int64(st, col);

	switch (letter) {
	case 'a':
		d->addr = column_addr(st, col);
		break;
	case 'g':
		d->key.gw = column_addr(st, col);
		break;
	case 'r':
		d->key.ref = column_ref(st, col);
		break;
	case 'v':
		if (d->kind == ENTRY_REMOTE)
			d->addr = column_addr(st, col);
		else
			d->key.ref = column_ref(st, col);
		break;
	case 'K':
		d->kind = n ? ENTRY_LOCAL : ENTRY_REMOTE;
		break;
	case 'o':
		d->owner = (uint32_t)n;
		break;
	case 'c':
		d->cause = (enum entry_cause)n;
		break;
	case 'm':
		d->made = n;
		break;
	case 'e':
		d->expires = n;
		break;
	case 'b':
		d->born = n;
		break;
	case 'n':
		d->name = (const char *)sqlite3_column_text(st, col);
		break;
	case 'h':
		op->hash = n;
		break;
	case 'k':
		op->count = (uint32_t)n;
		break;
	case 'L':
		column_text(st, col, so->local, sizeof(so->local));
		break;
	case 'D':
		column_text(st, col, so->domain, sizeof(so->domain));
		break;
	case 'y':
		op->held = n != 0;
		break;
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
