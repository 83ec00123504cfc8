# SPDX-License-Identifier: GPL-2.0-or-later
#
# make               all programs and the library, in build/<compiler>/
# make check         unit tests; no root, seconds
# make e2e           end-to-end tests in network namespaces; root
# make fuzz          each fuzzer for FUZZ_SECONDS (clang)
# make fuzz-short    each for 5 s, those of gwd for 30 s
# make model         gwd's core against an independent model of it (scapy)
# make bench         measurements, as ratios within one run; root
# make bench-path    of them, those of gwd; figures in BUILD/bench-path.json; root
# make bench-mapper  of them, those of mapperd; figures in BUILD/bench-mapper.json
# make proofs        mapperd's model test of 10^6 operations, floods of ten minutes;
#                    10^7 packets from gateway to gateway
# make kill-loop     mapperd killed KILLS times under load (1000), KILL_SECONDS
#                    at most (900)
# make bare          tests/demo and tests/all in a fresh Debian 12 root; root
# make format        clang-format over the tree
# make install       DESTDIR=, PREFIX=/usr/local, UNITDIR=, SYSCONFDIR=/etc
#
# CC=clang, SAN=address,undefined, WERROR=1, V=1 may be given to any of them;
# each combination builds in a folder of its own.

VERSION   = 0.1.0
ifeq ($(origin CC),default)
CC        = gcc
endif
SAN      ?=
comma     = ,
BUILD    ?= build/$(notdir $(CC))$(if $(SAN),-$(subst $(comma),-,$(SAN)))
PREFIX   ?= /usr/local
SYSCONFDIR ?= /etc
UNITDIR  ?= $(PREFIX)/lib/systemd/system
FUZZ_SECONDS ?= 60
KILLS    ?= 1000
KILL_SECONDS ?= 900
CFLAGS   ?= -O2 -g
Q         = $(if $(V),,@)

PROGRAMS  = gwd mapperd dnsagentd resolverd iprefctl
# Pure files see no sockets, clock or libevent; they are held to -Wconversion.
PURE      = $(patsubst %,$(BUILD)/%.o, \
	$(addprefix libipref/,addr ref text msg msg_item sip table dns/screen dns/name dns/message dns/xfr) \
	$(addprefix gwd/,packet packet4 packet6 header encap decap cksum l4 icmp frag pmtu limit \
		peers pending counters proof paths lost mss \
		maps maps_table maps_seen) \
	$(addprefix gwd/,peer_conf peers_text probe trim super burst batch merge) \
	$(addprefix gwd/,recent trace trace_filter routes steer) \
	$(addprefix mapperd/,entry allot allot_ref allot_tentative block gone \
		pool quota change hostset waits ring show filter) \
	$(addprefix iprefctl/,args verdict) \
	$(addprefix dnsagentd/,key zone hosts set quorum) \
	$(addprefix resolverd/,answer relay request chain reverse policy zone))

LIBS_libipref  = -levent -lconfig -ljansson -lsystemd
LIBS_gwd       = -levent -ljansson -lmnl -lurcu-qsbr -lurcu-common -lpthread
LIBS_mapperd   = -levent -levent_pthreads -ljansson -lsqlite3 -lpthread
LIBS_dnsagentd = -levent -ljansson -lldns
LIBS_resolverd = -levent -ljansson -lldns
LIBS_iprefctl  = -ljansson

WARN      = -Wall -Wextra -Wshadow -Wvla -Wmissing-prototypes \
	$(if $(WERROR),-Werror)
SANFLAGS  = $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer \
	-fno-sanitize-recover=all)
# The library calls its own functions, whoever else has some of that name.
ALL_CFLAGS = -std=gnu11 $(WARN) $(CFLAGS) $(SANFLAGS) -fPIC \
	-fno-semantic-interposition -MMD -MP -I. \
	-D_GNU_SOURCE -DIPREF_VERSION='"$(VERSION)"' \
	-DIPREF_SYSCONFDIR='"$(SYSCONFDIR)"'
ALL_LDFLAGS = $(LDFLAGS) $(SANFLAGS) -Wl,-rpath,'$$ORIGIN/../lib'

objs      = $(patsubst %.c,$(BUILD)/%.o,$(wildcard $(1)/*.c))
SONAME    = libipref.so.0
LIB       = $(BUILD)/lib/$(SONAME)
DNSLIB    = $(BUILD)/libipref/dns.a
TESTS     = $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/*/test_*.c))
PUBLIC_HEADERS = $(filter-out %_impl.h %/msg_item.h,$(wildcard libipref/*.h))
MANPAGES  = $(PROGRAMS:%=$(BUILD)/man/%.8)
FUZZERS   = $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/*/fuzz_*.c))
BENCH     = $(BUILD)/tests/bench
BENCHES   = $(addprefix $(BENCH)/,mapper_load echo_server sqlite_rows slow_sync.so \
	path_load maps_lookup core_cost)

.PHONY: all check e2e model proofs kill-loop fuzz fuzz-short fuzzers bench bench-mapper bench-path \
	benches bare format install clean tests print-pure
.DELETE_ON_ERROR:
.SECONDARY:
.SECONDEXPANSION:

all: $(LIB) $(PROGRAMS:%=$(BUILD)/bin/%) $(MANPAGES)

$(PURE): WARN += -Wconversion
# its loop is worth vector instructions
$(BUILD)/gwd/cksum.o: ALL_CFLAGS += -O3

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@$(if $(V),,echo "  CC      $@")
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(LIB): $(call objs,libipref)
	@mkdir -p $(@D)
	@$(if $(V),,echo "  LD      $@")
	$(Q)$(CC) -shared -Wl,-soname,$(SONAME) $(ALL_LDFLAGS) -o $@ $^ \
		$(LIBS_libipref)
	$(Q)ln -sf $(SONAME) $(@D)/libipref.so

$(DNSLIB): $$(call objs,libipref/dns)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

# All of a program but its main.o, for the program and for its tests.
$(PROGRAMS:%=$(BUILD)/%.a): $(BUILD)/%.a: \
		$$(filter-out $(BUILD)/%/main.o,$$(call objs,%))
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

link      = $(CC) $(ALL_LDFLAGS) -o $@ $(1) -L$(BUILD)/lib -lipref
dnslib    = $(if $(filter dnsagentd resolverd dns,$(1)),$(DNSLIB))

$(PROGRAMS:%=$(BUILD)/bin/%): $(BUILD)/bin/%: $(BUILD)/%/main.o \
		$(BUILD)/%.a $$(call dnslib,%) $(LIB)
	@mkdir -p $(@D)
	@$(if $(V),,echo "  LD      $@")
	$(Q)$(call link,$(filter %.o %.a,$^)) $(LIBS_$*)

# The options of a manual page are those that the program's table names.
$(BUILD)/man/%.8: etc/man/%.8.in $(BUILD)/bin/%
	@mkdir -p $(@D)
	$(Q)$(BUILD)/bin/$* --help-mdoc >$@.options
	$(Q)sed -e '/^@OPTIONS@$$/{' -e 'r $@.options' -e 'd' -e '}' $< >$@

# tests/unit/DIR/test_FILE.c may use DIR's code, libipref, and nothing else.
testdir   = $(notdir $(patsubst %/,%,$(dir $(1))))
testlib   = $(if $(filter $(PROGRAMS),$(1)),$(BUILD)/$(1).a) $(call dnslib,$(1))
testlibs  = $(LIBS_$(1)) $(if $(filter dns,$(1)),-lldns) -levent -ljansson

$(TESTS): $$@.o $$(call testlib,$$(call testdir,$$@)) $(LIB)
	@$(if $(V),,echo "  LD      $@")
	$(Q)$(call link,$(filter %.o %.a,$^)) -Wl,-rpath,$(abspath $(BUILD)/lib) \
		-lcheck -lsubunit -lm -lrt -lpthread $(call testlibs,$(call testdir,$@))

$(FUZZERS): $$@.o $$(call testlib,$$(call testdir,$$@)) $(LIB)
	@$(if $(V),,echo "  LD      $@")
	$(Q)$(call link,$(filter %.o %.a,$^)) -fsanitize=fuzzer \
		-Wl,-rpath,$(abspath $(BUILD)/lib) \
		$(call testlibs,$(call testdir,$@))

# gwd's pure core as a filter, for tests/model/run.
MODEL     = $(BUILD)/tests/model/translate
$(MODEL): $(MODEL).o $(BUILD)/gwd.a $(LIB)
	@$(if $(V),,echo "  LD      $@")
	$(Q)$(call link,$(filter %.o %.a,$^)) -Wl,-rpath,$(abspath $(BUILD)/lib) \
		-lcheck -lsubunit -lm -lrt -lpthread $(LIBS_gwd)

# What the measurements in tests/bench/ run.
$(BENCH)/mapper_load: $(addprefix $(BENCH)/,mapper_load.o window.o keys.o publish.o)
$(BENCH)/echo_server: $(BENCH)/echo_server.o
$(BENCH)/sqlite_rows: $(addprefix $(BENCH)/,sqlite_rows.o window.o keys.o)
$(BENCH)/sqlite_rows: LIBS_bench = -lsqlite3
$(BENCH)/path_load: $(addprefix $(BENCH)/,path_load.o path_net.o udp_stream.o \
	cpu_watch.o cpu_sampler.o round_trips.o connections.o)
$(BENCH)/path_load: LIBS_bench = -lpthread
$(BENCH)/maps_lookup: $(BENCH)/maps_lookup.o $(BUILD)/gwd.a
$(BENCH)/maps_lookup: LIBS_bench = $(LIBS_gwd)
$(BENCH)/core_cost: $(BENCH)/core_cost.o $(BUILD)/gwd.a
$(BENCH)/core_cost: LIBS_bench = $(LIBS_gwd)
$(filter-out %.so,$(BENCHES)): $(LIB)
	@$(if $(V),,echo "  LD      $@")
	$(Q)$(call link,$(filter %.o %.a,$^)) -Wl,-rpath,$(abspath $(BUILD)/lib) \
		$(LIBS_bench)

$(BENCH)/slow_sync.so: $(BENCH)/slow_sync.o
	$(Q)$(CC) -shared $(ALL_LDFLAGS) -o $@ $^ -ldl

benches: $(BENCHES)

# What the end-to-end tests send attacks with, and a kernel that refuses.
E2E_TOOLS = $(addprefix $(BUILD)/tests/e2e/,flood refuse.so)

$(BUILD)/tests/e2e/flood: $(BUILD)/tests/e2e/flood.o $(LIB)
	@$(if $(V),,echo "  LD      $@")
	$(Q)$(call link,$(filter %.o,$^)) -Wl,-rpath,$(abspath $(BUILD)/lib)

# Preloaded by programs with a sanitizer of their own.
$(BUILD)/tests/e2e/refuse.%: SANFLAGS =
$(BUILD)/tests/e2e/refuse.so: $(BUILD)/tests/e2e/refuse.o
	$(Q)$(CC) -shared $(ALL_LDFLAGS) -o $@ $^ -ldl

tests: $(TESTS) $(E2E_TOOLS)
fuzzers: $(FUZZERS)

check: all tests
	$(Q)tests/run-unit $(BUILD)

e2e: all $(E2E_TOOLS)
	$(Q)tests/run-e2e $(BUILD)

fuzz:
	$(Q)$(MAKE) --no-print-directory CC=clang \
		SAN=fuzzer-no-link,address,undefined fuzzers
	$(Q)tests/run-fuzz build/clang-fuzzer-no-link-address-undefined \
		$(FUZZ_SECONDS)

fuzz-short:
	$(Q)$(MAKE) --no-print-directory CC=clang \
		SAN=fuzzer-no-link,address,undefined fuzzers
	$(Q)tests/run-fuzz build/clang-fuzzer-no-link-address-undefined 5 30

bench: all benches
	$(Q)tests/run-bench $(BUILD)

bench-path: all benches
	$(Q)tests/run-bench $(BUILD) 100-path

bench-mapper: all benches
	$(Q)tests/run-bench $(BUILD) 200-mapper

model: $(MODEL)
	$(Q)tests/model/run $(MODEL)

proofs: all tests
	$(Q)for t in model flood; do \
		MODEL_STEPS=300000 FLOOD_SECONDS=600 \
		$(BUILD)/tests/unit/mapperd/test_$$t || exit 1; done
	$(Q)ROUNDTRIP_PACKETS=10000000 $(BUILD)/tests/unit/gwd/test_roundtrip

kill-loop: all
	$(Q)rm -rf $(BUILD)/kill-loop
	$(Q)python3 tests/e2e/kill_loop.py $(BUILD)/bin/mapperd \
		$(BUILD)/kill-loop --kills $(KILLS) --seconds $(KILL_SECONDS) \
		--round-kills 300

bare:
	$(Q)tests/bare

print-pure:
	@echo $(PURE)

format:
	$(Q)git ls-files '*.c' '*.h' | xargs clang-format -i

install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin \
		$(DESTDIR)$(PREFIX)/lib $(DESTDIR)$(PREFIX)/include/libipref \
		$(DESTDIR)$(PREFIX)/include/proto $(DESTDIR)$(UNITDIR) \
		$(DESTDIR)$(SYSCONFDIR)/ipref $(DESTDIR)$(PREFIX)/share/man/man8 \
		$(DESTDIR)$(PREFIX)/lib/sysusers.d $(DESTDIR)$(PREFIX)/lib/tmpfiles.d
	install -m 755 $(filter-out %/iprefctl,$(PROGRAMS:%=$(BUILD)/bin/%)) \
		$(DESTDIR)$(PREFIX)/sbin
	install -m 755 $(BUILD)/bin/iprefctl $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(LIB) $(DESTDIR)$(PREFIX)/lib
	ln -sf $(SONAME) $(DESTDIR)$(PREFIX)/lib/libipref.so
	install -m 644 $(PUBLIC_HEADERS) $(DESTDIR)$(PREFIX)/include/libipref
	install -m 644 proto/mapper.def $(DESTDIR)$(PREFIX)/include/proto
	for unit in etc/*.service; do \
		sed 's,@PREFIX@,$(PREFIX),g; s,@SYSCONFDIR@,$(SYSCONFDIR),g' \
			"$$unit" >$(DESTDIR)$(UNITDIR)/"$${unit##*/}" && \
		chmod 644 $(DESTDIR)$(UNITDIR)/"$${unit##*/}" || exit 1; \
	done
	install -m 644 etc/sysusers.d/ipref.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d
	install -m 644 etc/tmpfiles.d/ipref.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d
	install -m 644 etc/ipref.conf $(DESTDIR)$(SYSCONFDIR)/ipref/ipref.conf.example
	install -m 644 $(MANPAGES) $(DESTDIR)$(PREFIX)/share/man/man8

clean:
	rm -rf build

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
