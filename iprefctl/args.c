/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "iprefctl/args.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static size_t
find_option(const struct args_option *options, size_t n_options,
	const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < n_options; i++)
		if (strlen(options[i].name) == len &&
			!memcmp(options[i].name, name, len))
			break;
	return i;
}

/* The option that word i is; words that it takes besides are counted in *i. */
static bool
take_option(struct args *a, const struct args_option *options, size_t n_options,
	char **argv, size_t n, size_t *i, char error[ARGS_ERROR_MAX])
{
	const char *word = argv[*i], *name = word + strspn(word, "-");
	size_t len = strcspn(name, "=");
	size_t k = find_option(options, n_options, name, len);

	if (k == n_options) {
		snprintf(error, ARGS_ERROR_MAX, "unknown option %.60s", word);
		return false;
	}
	if (!options[k].arg) {
		a->values[k] = "1";
		if (!name[len])
			return true;
		snprintf(error, ARGS_ERROR_MAX, "-%s takes no value",
			options[k].name);
		return false;
	}
	if (name[len])
		a->values[k] = name + len + 1;
	else if (*i + 1 < n)
		a->values[k] = argv[++*i];
	if (a->values[k] && *a->values[k])
		return true;
	snprintf(error, ARGS_ERROR_MAX, "-%s: a value is missing (%s)",
		options[k].name, options[k].arg);
	return false;
}

bool
args_parse(struct args *a, const struct args_option *options, size_t n_options,
	size_t n, char **argv, char error[ARGS_ERROR_MAX])
{
	bool over = false; /* behind "--" */
	size_t i;

	*a = (struct args){.operands = argv};
	for (i = 0; i < n; i++) {
		if (over || argv[i][0] != '-' || !argv[i][1])
			argv[a->n++] = argv[i];
		else if (!strcmp(argv[i], "--"))
			over = true;
		else if (!take_option(
				 a, options, n_options, argv, n, &i, error))
			return false;
	}
	return true;
}

bool
args_query(char target[ARGS_TARGET_MAX], const char *key, const char *value)
{
	size_t len = strlen(target);
	int n = snprintf(target + len, ARGS_TARGET_MAX - len,
		"%c%s=", strchr(target, '?') ? '&' : '?', key);

	len += (size_t)n;
	for (; *value && len + 4 < ARGS_TARGET_MAX; value++)
		if (isalnum((unsigned char)*value) || strchr("-._:*", *value))
			target[len++] = *value;
		else
			len += (size_t)sprintf(
				target + len, "%%%02X", (unsigned char)*value);
	if (*value || len >= ARGS_TARGET_MAX)
		return false;
	target[len] = '\0';
	return true;
}

bool
args_target(char target[ARGS_TARGET_MAX], const char *page,
	const struct args *a, const struct args_option *options,
	size_t n_options)
{
	size_t i;

	snprintf(target, ARGS_TARGET_MAX, "%s", page);
	for (i = 0; i < n_options; i++)
		if (a->values[i] && options[i].key &&
			!args_query(target, options[i].key, a->values[i]))
			return false;
	return true;
}

/* Takes leading and trailing blanks off. */
static char *
trim(char *s)
{
	size_t len;

	s += strspn(s, " \t");
	len = strlen(s);
	while (len && (s[len - 1] == ' ' || s[len - 1] == '\t'))
		s[--len] = '\0';
	return s;
}

/* what is "GW + REF", the plus at `plus`. */
static bool
take_pair(struct who *w, char *what, char *plus, char error[ARGS_ERROR_MAX])
{
	struct addr addr;
	struct ref ref;

	*plus = '\0';
	what = trim(what);
	snprintf(w->ref, sizeof(w->ref), "%s", trim(plus + 1));
	w->kind = WHO_IPREF;
	memmove(w->what, what, strlen(what) + 1);
	if (!addr_parse(&addr, w->what, strlen(w->what)))
		snprintf(error, ARGS_ERROR_MAX,
			"\"%.60s\": a context address is no IP address",
			w->what);
	else if (!ref_parse(&ref, w->ref, strlen(w->ref)))
		snprintf(error, ARGS_ERROR_MAX, "\"%.60s\": no reference",
			w->ref);
	else
		return true;
	return false;
}

static bool
join(struct who *w, size_t n, char **words)
{
	size_t i, len;

	for (i = 0; i < n; i++) {
		len = strlen(w->text);
		if (strlen(words[i]) + 2 > sizeof(w->text) - len)
			return false;
		snprintf(w->text + len, sizeof(w->text) - len, "%s%s",
			i ? " " : "", words[i]);
	}
	return true;
}

bool
args_who(struct who *w, size_t n, char **words, char error[ARGS_ERROR_MAX])
{
	struct prefix net;
	struct addr addr;
	char *what, *plus;

	*w = (struct who){.kind = WHO_NAME};
	if (!join(w, n, words)) {
		snprintf(error, ARGS_ERROR_MAX, "that is longer than any name");
		return false;
	}
	memcpy(w->what, w->text, sizeof(w->what));
	what = trim(w->what);
	plus = strchr(what, '+');
	if (plus)
		return take_pair(w, what, plus, error);
	memmove(w->what, what, strlen(what) + 1);
	if (addr_parse(&addr, w->what, strlen(w->what)))
		w->kind = WHO_ADDRESS;
	else if (prefix_parse(&net, w->what, strlen(w->what)))
		w->kind = WHO_NET;
	if (w->kind != WHO_NAME || (*w->what && !strpbrk(w->what, " \t/")))
		return true;
	snprintf(error, ARGS_ERROR_MAX,
		"\"%.60s\" is no address, no GW+REF and no name", w->what);
	return false;
}

bool
args_lookup(char target[ARGS_TARGET_MAX], size_t n, char **words,
	char error[ARGS_ERROR_MAX])
{
	struct who w;

	if (!args_who(&w, n, words, error))
		return false;
	snprintf(target, ARGS_TARGET_MAX, "/mappings");
	snprintf(error, ARGS_ERROR_MAX, "that is longer than any name");
	switch (w.kind) {
	case WHO_ADDRESS:
		return args_query(target, "host", w.what);
	case WHO_IPREF:
		return args_query(target, "gw", w.what) &&
		       args_query(target, "ref", w.ref);
	case WHO_NAME:
		return args_query(target, "name", w.what);
	case WHO_NET:
		break;
	}
	snprintf(error, ARGS_ERROR_MAX,
		"\"%.60s\" is no address, no GW+REF and no name", w.what);
	return false;
}
