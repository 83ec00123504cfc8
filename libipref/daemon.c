/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The skeleton of every daemon.
 *
 * Start order, undone in reverse: settings, log, the daemon's early word, event
 * loop, signals (from here on a SIGTERM is an orderly stop), control socket (so
 * that a second daemon of the same name ends before it touches anything), the
 * daemon's parts, READY.
 * Everything taken is given back at the end, so that a leak checker has nothing
 * to say.
 */
#include "libipref/daemon.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "libipref/ctl.h"
#include "libipref/log.h"

static const int signals[] = {SIGTERM, SIGINT, SIGHUP};

struct skeleton {
	struct daemon daemon;
	const struct daemon_spec *spec;
	struct conf conf;
	struct event *signal_events[ARRAY_LEN(signals)]; /* owned */
	size_t started; /* parts, the first of the spec's */
	bool ready;	/* all of them */
	bool stopping;
	int exit_code;
};

static void
on_event_log(int severity, const char *text)
{
	static const enum log_level levels[] = {
		[EVENT_LOG_DEBUG] = LOG_LEVEL_DEBUG,
		[EVENT_LOG_MSG] = LOG_LEVEL_INFO,
		[EVENT_LOG_WARN] = LOG_LEVEL_WARN,
		[EVENT_LOG_ERR] = LOG_LEVEL_ERR,
	};
	enum log_level level = LOG_LEVEL_ERR;

	if (severity >= 0 && (size_t)severity < ARRAY_LEN(levels))
		level = levels[severity];
	log_at(level, "libevent: %s", text);
}

static void
on_event_fatal(int err)
{
	bug("libevent gave up: error %d", err);
}

static void
set_log(const struct daemon *d)
{
	const struct common_conf *common = d->settings;
	enum log_level level = (enum log_level)common->log_level;

	if (common->debug.n)
		level = LOG_LEVEL_DEBUG;
	log_init(d->name, level, common->time_stamps);
}

static void
reload(struct skeleton *s)
{
	struct daemon *d = &s->daemon;
	struct timespec ts = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		(uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000);
	if (conf_reload(&s->conf)) {
		log_err("settings: not reloaded, the old ones stay");
	} else {
		set_log(d);
		if (s->spec->reload)
			s->spec->reload(d);
		log_notice("settings: reloaded");
	}
	(void)sd_notify(0, "READY=1");
}

static void
on_signal(evutil_socket_t sig, short what, void *arg)
{
	struct skeleton *s = arg;

	(void)what;
	if (sig == SIGHUP) {
		reload(s);
		return;
	}
	log_notice("stopping: %s", sig == SIGTERM ? "SIGTERM" : "SIGINT");
	daemon_stop(&s->daemon, 0);
}

static int
start_signals(struct skeleton *s)
{
	struct event *ev;
	size_t i;

	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return -errno;
	for (i = 0; i < ARRAY_LEN(signals); i++) {
		ev = evsignal_new(s->daemon.base, signals[i], on_signal, s);
		s->signal_events[i] = ev;
		if (!ev || event_add(ev, NULL))
			return -ENOMEM;
	}
	return 0;
}

static void
stop_signals(struct skeleton *s)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(signals); i++)
		if (s->signal_events[i])
			event_free(s->signal_events[i]);
}

static json_t *
status_ready(void *arg)
{
	const struct skeleton *s = arg;

	return json_boolean(s->ready && !s->stopping);
}

static json_t *
status_config(void *arg)
{
	const struct skeleton *s = arg;

	return s->conf.file ? json_string(s->conf.file) : json_null();
}

static int
start_ctl(struct skeleton *s)
{
	struct daemon *d = &s->daemon;
	const struct common_conf *common = d->settings;
	char path[256];
	int rc;

	/* A path that is cut is still longer than any socket's. */
	snprintf(path, sizeof(path), "%s/%s.ctl", common->control_dir, d->name);
	rc = ctl_new(&d->ctl, d->base, path, d->name);
	if (rc)
		return rc;
	ctl_add_status(d->ctl, "ready", status_ready, s);
	ctl_add_status(d->ctl, "config", status_config, s);
	return 0;
}

static int
start_parts(struct skeleton *s)
{
	int rc;

	while (s->started < s->spec->n_parts && !s->stopping) {
		rc = s->spec->parts[s->started].start(&s->daemon);
		if (rc)
			return rc;
		s->started++;
	}
	return 0;
}

static void
stop_parts(struct skeleton *s)
{
	const struct daemon_part *part;

	while (s->started > 0) {
		part = &s->spec->parts[--s->started];
		if (part->stop)
			part->stop(&s->daemon);
	}
}

/* From the loop's making to its end; what was made stays for take_down(). */
static int
run(struct skeleton *s)
{
	struct daemon *d = &s->daemon;

	event_set_log_callback(on_event_log);
	event_set_fatal_callback(on_event_fatal);
	d->base = event_base_new();
	if (!d->base || start_signals(s)) {
		log_err("event loop: can't be made");
		return 1;
	}
	if (start_ctl(s) || start_parts(s))
		return 1;
	if (s->stopping)
		return s->exit_code;
	s->ready = true;
	log_notice("ready: version %s, settings from %s", IPREF_VERSION,
		s->conf.file ? s->conf.file : "options alone");
	(void)sd_notify(0, "READY=1");
	if (event_base_dispatch(d->base) < 0) {
		log_err("event loop: failed");
		return 1;
	}
	return s->exit_code;
}

static void
take_down(struct skeleton *s)
{
	s->stopping = true;
	(void)sd_notify(0, "STOPPING=1");
	if (s->daemon.ctl)
		ctl_stop(s->daemon.ctl);
	stop_parts(s);
	ctl_free(s->daemon.ctl);
	stop_signals(s);
	if (s->daemon.base)
		event_base_free(s->daemon.base);
	event_set_log_callback(NULL);
	event_set_fatal_callback(NULL);
	libevent_global_shutdown();
}

int
daemon_main(const struct daemon_spec *spec, int argc, char **argv)
{
	struct skeleton s = {.spec = spec};
	struct daemon *d = &s.daemon;
	const struct common_conf *common = spec->settings;
	int code = -1;

	switch (conf_load(&s.conf, spec->conf, spec->settings, argc, argv)) {
	case CONF_EXIT_OK:
		return 0;
	case CONF_EXIT_BAD:
		return 2;
	case CONF_RUN:
		break;
	}
	d->conf = &s.conf;
	d->settings = spec->settings;
	d->state = spec->state;
	d->start_ms = now_ms();
	d->name = spec->conf->program;
	set_log(d);
	conf_say_notes(&s.conf);
	if (common->debug.n)
		log_info("debug: all parts are logged in detail, not only "
			 "those named");
	if (spec->early)
		code = spec->early(d);
	if (code < 0) {
		code = run(&s);
		take_down(&s);
	}
	conf_fini(&s.conf);
	return code;
}

void
daemon_stop(struct daemon *d, int exit_code)
{
	struct skeleton *s = CONTAINER_OF(d, struct skeleton, daemon);

	if (!s->stopping)
		s->exit_code = exit_code;
	s->stopping = true;
	event_base_loopbreak(d->base);
}
