/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hosts files: parsed whole; what comes out keeps the rules. */
#include <stdlib.h>

#include "libipref/log.h"
#include "mapperd/hostsfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct host_rules rules = {
		{{4, {10, 240, 0, 0}}, 12}, 4, {4, {192, 0, 2, 1}}};
	struct hostsfile_set set;
	struct host_entry e;
	size_t i;

	log_init("fuzz", (enum log_level)0, false);
	if (hostsfile_parse(&set, "fuzz", (const char *)data, size, &rules))
		return 0;
	for (i = 0; i < set.n; i++) {
		e = set.recs[i].entry;
		if (set.recs[i].allot)
			e.key.ref = ref_from_u64(5);
		if (hostset_check(&e, &rules))
			abort();
	}
	free(set.recs);
	return 0;
}
