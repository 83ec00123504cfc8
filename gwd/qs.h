/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reclamation by quiescent states: what readers without locks may still look at
 * is destroyed once each of them has said that it holds nothing any more.
 * liburcu-qsbr, with what ThreadSanitizer has to be told of it.
 *
 * Readers are threads that say so between qs_reader_start() and
 * qs_reader_end(); one that neither comes to qs_quiet() nor is away holds up
 * all that is retired. One thread of the process is the writer; that it reads
 * need not be said.
 */
#ifndef GWD_QS_H
#define GWD_QS_H

#include "libipref/base.h"

/* The calling thread reads; what it got by reading it may keep until it calls
 * any of the others. */
void qs_reader_start(void);
void qs_reader_end(void);
/* Holds nothing now: at least once in a batch of packets. */
void qs_quiet(void);
/* Around waiting: reads nothing in between, and nobody waits for it. */
void qs_away(void);
void qs_back(void);

/* 0, -errno: there is no thread to be had. */
int qs_writer_start(void) MUSTCHECK;
/* Waits until all that was retired has been destroyed. */
void qs_writer_end(void);
/* The writer's, when nobody can find p any more: destroy(p) is called later, by
 * another thread, and retires nothing itself. Waits only when QS_WAITING_MAX
 * wait already. Between qs_writer_start() and qs_writer_end(). */
void qs_retire(void (*destroy)(void *p), void *p);

#define QS_WAITING_MAX 32768

#endif
