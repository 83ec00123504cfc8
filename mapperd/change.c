/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists of operations; see change.h. */
#include "mapperd/change.h"

#include <stdlib.h>
#include <string.h>

void
change_init(struct change *c)
{
	*c = (struct change){0};
}

void
change_fini(struct change *c)
{
	size_t i;

	for (i = 0; i < c->n; i++) {
		free((char *)(uintptr_t)c->ops[i].data.name);
		free(c->ops[i].source);
	}
	free(c->ops);
	*c = (struct change){0};
}

static bool
grow(struct change *c)
{
	size_t room = c->room ? c->room * 2 : 4;
	struct op *ops = reallocarray(c->ops, room, sizeof(*ops));

	if (!ops)
		return false;
	c->ops = ops;
	c->room = room;
	return true;
}

struct op *
change_op(struct change *c, enum op_kind kind)
{
	struct op *op;

	if (c->n == c->room && !grow(c)) {
		c->failed = true;
		return NULL;
	}
	op = &c->ops[c->n++];
	*op = (struct op){.kind = kind};
	if (kind == OP_ADD || kind == OP_DEL)
		c->numbered = true;
	return op;
}

void
change_add(struct change *c, const struct entry_data *d)
{
	struct op *op = change_op(c, OP_ADD);

	if (!op)
		return;
	op->data = *d;
	if (!d->name)
		return;
	op->data.name = strdup(d->name);
	if (!op->data.name)
		c->failed = true;
}

bool
entry_is_allotted(const struct entry *e)
{
	if (e->kind == ENTRY_REMOTE)
		return e->owner == OWNER_MAPPER;
	return ref_second_byte(&e->key.ref) >= SECOND_BYTE_OURS;
}

void
change_del(struct change *c, const struct entry *e, uint64_t now)
{
	struct op *op = change_op(c, OP_DEL);

	if (!op)
		return;
	op->data = (struct entry_data){
		.kind = (enum entry_kind)e->kind,
		.cause = (enum entry_cause)e->cause,
		.owner = e->owner,
		.addr = e->addr,
		.key = e->key,
		.made = now,
	};
	if (!entry_is_allotted(e))
		return;
	op = change_op(c, OP_GONE);
	if (op)
		op->data = c->ops[c->n - 2].data;
}
