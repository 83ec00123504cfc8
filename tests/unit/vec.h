/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the block files of tests/vectors/ (format: the README there).
 *
 * vec_open() reads one file; vec_next() gives its blocks one after the other,
 * each an array of key and value lines that live until vec_close(). A file that
 * can't be read fails the test. Run from the project's top or anywhere below.
 */
#ifndef TESTS_UNIT_VEC_H
#define TESTS_UNIT_VEC_H

#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VEC_LINES 512

struct vec_line {
	const char *key, *value; /* value: "" when there is none */
};

struct vec_block {
	struct vec_line lines[VEC_LINES];
	size_t n;
};

struct vec_file {
	char *text; /* owned; cut into lines while reading */
	char *next;
};

static inline void
vec_open(struct vec_file *f, const char *name)
{
	char path[512];
	FILE *in = NULL;
	size_t size = 0, got;
	int up;

	snprintf(path, sizeof(path), "tests/vectors/%s", name);
	for (up = 0; !in && up < 6; up++) {
		in = fopen(path, "r");
		if (!in) {
			memmove(path + 3, path, strlen(path) + 1);
			memcpy(path, "../", 3);
		}
	}
	ck_assert_msg(in != NULL, "tests/vectors/%s can't be opened", name);
	f->text = NULL;
	do {
		f->text = realloc(f->text, size + 65537);
		ck_assert_ptr_nonnull(f->text);
		got = fread(f->text + size, 1, 65536, in);
		size += got;
	} while (got);
	ck_assert(!ferror(in));
	fclose(in);
	f->text[size] = '\0';
	f->next = f->text;
}

static inline void
vec_close(struct vec_file *f)
{
	free(f->text);
}

/* The next block; false at the end. */
static inline int
vec_next(struct vec_file *f, struct vec_block *b)
{
	char *line, *space;

	b->n = 0;
	while (*f->next) {
		line = strsep(&f->next, "\n");
		if (!f->next)
			f->next = line + strlen(line);
		if (*line == '#')
			continue;
		if (!*line) {
			if (b->n)
				return 1;
			continue;
		}
		ck_assert_uint_lt(b->n, VEC_LINES);
		space = strchr(line, ' ');
		if (space)
			*space++ = '\0';
		b->lines[b->n++] = (struct vec_line){line, space ? space : ""};
	}
	return b->n > 0;
}

/* The value of the i-th line (from 0) with this key, or NULL. */
static inline const char *
vec_nth(const struct vec_block *b, const char *key, size_t i)
{
	size_t k;

	for (k = 0; k < b->n; k++)
		if (!strcmp(b->lines[k].key, key) && !i--)
			return b->lines[k].value;
	return NULL;
}

static inline const char *
vec_get(const struct vec_block *b, const char *key)
{
	return vec_nth(b, key, 0);
}

/* Hex to bytes; "-" and "" are no bytes. Fails the test on other text. */
static inline size_t
vec_hex(const char *hex, uint8_t *out, size_t size)
{
	size_t n = 0;
	unsigned byte;

	if (!strcmp(hex, "-"))
		return 0;
	for (; *hex && *hex != ' '; hex += 2) {
		ck_assert_uint_lt(n, size);
		ck_assert_int_eq(sscanf(hex, "%2x", &byte), 1);
		ck_assert(hex[1] != '\0');
		out[n++] = (uint8_t)byte;
	}
	return n;
}

#endif
