/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A mapping of mapperd's for people: a paragraph. Pure. */
#ifndef IPREFCTL_MAPPING_H
#define IPREFCTL_MAPPING_H

#include <jansson.h>
#include <stdio.h>

void mapping_print(FILE *out, const json_t *row);

#endif
