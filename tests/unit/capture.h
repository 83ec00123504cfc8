/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What code under test prints, caught as text: a descriptor is pointed at a
 * memory file and back.
 *
 *	struct capture c;
 *	capture_start(&c, STDERR_FILENO);
 *	...
 *	text = capture_end(&c);		(the caller's)
 */
#ifndef TESTS_UNIT_CAPTURE_H
#define TESTS_UNIT_CAPTURE_H

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct capture {
	int fd;	   /* that is caught */
	int saved; /* where it went before */
	int mem;
};

static inline void
capture_start(struct capture *c, int fd)
{
	fflush(NULL);
	c->fd = fd;
	c->saved = dup(fd);
	c->mem = memfd_create("capture", MFD_CLOEXEC);
	ck_assert_int_ge(c->saved, 0);
	ck_assert_int_ge(c->mem, 0);
	/* Lines of several threads must not overwrite each other. */
	ck_assert_int_eq(fcntl(c->mem, F_SETFL, O_APPEND), 0);
	ck_assert_int_eq(dup2(c->mem, fd), fd);
}

static inline char *
capture_end(struct capture *c)
{
	off_t len;
	char *text;

	fflush(NULL);
	ck_assert_int_eq(dup2(c->saved, c->fd), c->fd);
	len = lseek(c->mem, 0, SEEK_END);
	ck_assert_int_ge(len, 0);
	text = calloc(1, (size_t)len + 1);
	ck_assert_ptr_nonnull(text);
	ck_assert_int_eq(pread(c->mem, text, (size_t)len, 0), len);
	close(c->saved);
	close(c->mem);
	return text;
}

#endif
