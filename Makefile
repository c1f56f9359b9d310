# tuntcp. `make` builds everything into build/; the other targets:
#
#   make check      unit, talk and sim tests: no root, no network, no clock; under sanitizers
#   make e2e        real peers (kernel TCP, nginx, dnsmasq, tshark) in network namespaces; needs root
#   make walk       WALK_SEEDS (20000) random walks, judged by a model of RFC 9293; under sanitizers
#   make fuzz       each fuzzer for FUZZ_SECONDS (60); clang with libFuzzer
#   make matrix     what each kind of segment does in each state, as a table that the tests walk;
#                   ROWS="TIME-WAIT SYN" prints the rows with both words
#   make conformance RFC 9293 clause by clause: where each requirement is met and tested; 1 if one lacks
#   make mutants    do the tests have teeth? puts small mistakes into stack/tcp, one at a time
#   make bench      speed, as ratios measured side by side in one run: the device's limit, the kernel, lwIP; needs
#                   root or a user namespace; BENCH="--runs 3 ping" as scripts/bench --help says
#   make bench-cpu  the stack alone against memcpy
#   make bench-growth  cost of a segment beside up to a million idle connections, and what those take
#   make instructions instructions per segment on the hot paths, with bounds; needs valgrind
#   make bench-loss transfers over bad links, tuntcp against the kernel; real time, needs root or a user namespace
#   make lint       stack/ makes no system call and has no global variable; layout is clang-format's
#   make format     lay out all C files
#   make install    into PREFIX (/usr/local), with DESTDIR
#   make clean      remove build/
#
# MODE=fast (-O2, the default) or MODE=asan (address and undefined-behaviour sanitizers).
# CC, CFLAGS and LDFLAGS are yours.

CC ?= cc
MODE ?= fast
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
SIM_SEEDS ?= 10000
WALK_SEEDS ?= 20000

warnings := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
            -Wswitch-enum -Wno-missing-field-initializers
flags_fast := -O2 -g
flags_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
our_cflags = -std=c11 -D_GNU_SOURCE $(warnings) $(flags_$(MODE)) -MMD -MP
our_ldflags = $(if $(filter asan,$(MODE)),-fsanitize=address$(comma)undefined)
comma := ,

out := build/$(MODE)
objects_of = $(patsubst %.c,$(out)/%.o,$1)

stack_sources := $(wildcard stack/*.c stack/*/*.c stack/*/*/*.c)
tun_sources := $(wildcard tun/*.c)
shared_app_sources := $(wildcard apps/common/*.c apps/view/*.c)
app_names := $(patsubst apps/%.c,%,$(wildcard apps/*.c))
apps := $(addprefix $(out)/,$(app_names))

.PHONY: all help check unit talk matrix sim walk e2e fuzz bench conformance lint format format-check install uninstall clean
.SECONDARY:
.DELETE_ON_ERROR:

all: $(apps) $(out)/libtuntcp.a
	@mkdir -p build && for app in $(app_names); do ln -sf $(MODE)/$$app build/$$app; done

help:
	@sed -n '2,/^$$/s/^# \{0,1\}//p' Makefile

$(out)/libtuntcp.a: $(call objects_of,$(stack_sources))
	@rm -f $@
	$(AR) rcs $@ $^

$(out)/libtun.a: $(call objects_of,$(tun_sources) $(shared_app_sources))
	@rm -f $@
	$(AR) rcs $@ $^

$(out)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(our_cflags) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# The stack's files call each other for each packet: where gcc may inline across them when it links, a segment takes 12 to
# 17 % fewer instructions. So the programs have objects of their own; tests, and who links the library, wait for no such link.
lto := $(if $(filter fast,$(MODE)),$(if $(findstring Free Software Foundation,$(shell $(CC) --version 2>/dev/null)),yes))
fast_stack := $(if $(lto),$(patsubst %.c,$(out)/lto/%.o,$(stack_sources)),$(out)/libtuntcp.a)

$(out)/lto/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(our_cflags) -flto $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(apps): our_ldflags += $(if $(lto),-flto=auto -O2)
$(apps): $(out)/%: $(out)/apps/%.o $(out)/libtun.a $(fast_stack)
	$(CC) $(our_ldflags) $(LDFLAGS) -o $@ $^ -pthread

-include $(shell find build -name '*.d' 2>/dev/null)

# ---- tests: every file in tests/{unit,talk,sim} with a main() is a program of its own

check_libs = $(shell pkg-config --libs check 2>/dev/null || echo -lcheck -lsubunit -lm -lrt -lpthread)
unit_sources := $(wildcard tests/unit/*.c tests/unit/*/*.c)
talk_sources := $(filter-out tests/talk/talk.c,$(wildcard tests/talk/*.c))
sim_sources := $(filter-out tests/sim/sim.c,$(wildcard tests/sim/*.c))
unit_programs := $(patsubst %.c,$(out)/%,$(unit_sources))
talk_programs := $(patsubst %.c,$(out)/%,$(talk_sources))
sim_programs := $(patsubst %.c,$(out)/%,$(sim_sources))

$(unit_programs): $(out)/%: $(out)/%.o $(out)/libtun.a $(out)/libtuntcp.a
	$(CC) $(our_ldflags) $(LDFLAGS) -o $@ $^ $(check_libs)

model_sources := $(wildcard tests/talk/model/*.c)
talk_frame = $(call objects_of,tests/talk/talk.c $(wildcard tests/talk/runner/*.c) $(model_sources))

$(out)/tests/talk/matrix: $(call objects_of,$(wildcard tests/talk/cells/*.c))

$(talk_programs): $(out)/%: $(out)/%.o $(talk_frame) $(out)/libtuntcp.a
	$(CC) $(our_ldflags) $(LDFLAGS) -o $@ $^ $(check_libs)

$(sim_programs): $(out)/%: $(out)/%.o $(out)/tests/sim/sim.o $(out)/tun/link.o $(out)/tun/link_text.o $(out)/libtuntcp.a
	$(CC) $(our_ldflags) $(LDFLAGS) -o $@ $^ $(check_libs)

run = @failed=0; for program in $1; do $$program || failed=1; done; exit $$failed

check:
	@$(MAKE) --no-print-directory MODE=asan unit talk sim

unit: $(unit_programs)
	$(call run,$^)

talk: $(talk_programs)
	$(call run,$^)

# ROWS="TIME-WAIT SYN" prints the rows that contain all of these words.
matrix: $(out)/tests/talk/matrix
	@$< table $(ROWS)

sim: $(sim_programs)
	$(call run,$^)

# WALK_SEED=N is the first one; a failure prints which to try again.
walk:
	@$(MAKE) --no-print-directory MODE=asan build/asan/tests/talk/walk
	@WALK_SEEDS=$(WALK_SEEDS) build/asan/tests/talk/walk

clean:
	rm -rf build

# lwip.c is compared with, where Debian's liblwip-dev is installed; nothing else knows of it.
has_lwip := $(wildcard /usr/include/lwip/lwip/init.h)
own_peers := $(patsubst %.c,$(out)/%,$(filter-out %/lwip.c,$(wildcard tests/bench/peers/*.c)))
lwip_peer := $(if $(has_lwip),$(out)/tests/bench/peers/lwip)
bench_peers := $(own_peers) $(lwip_peer)

# ---- real peers: programs in tests/e2e/*.c are the other end, on the kernel's sockets, or an end of our own that
# does what tnc does not

e2e_programs := $(patsubst %.c,$(out)/%,$(wildcard tests/e2e/*.c))

$(e2e_programs): $(out)/%: $(out)/%.o $(out)/libtun.a $(out)/libtuntcp.a
	$(CC) $(our_ldflags) $(LDFLAGS) -o $@ $^

# TOPICS="dns_and_get listen" runs these files of tests/e2e only.
e2e: $(apps) $(e2e_programs) $(bench_peers)
	@OUT=$(out) TNC=$(out)/tnc tests/e2e/run $(TOPICS)

# ---- speed

bench_programs := $(patsubst %.c,$(out)/%,$(wildcard tests/bench/*.c))

$(bench_programs): our_ldflags += $(if $(lto),-flto=auto -O2)

bench_common := $(call objects_of,$(wildcard tests/bench/common/*.c))

$(bench_programs): $(out)/%: $(out)/%.o $(bench_common) $(out)/tun/link.o $(out)/tun/link_text.o $(fast_stack)
	$(CC) $(our_ldflags) $(LDFLAGS) -o $@ $^

$(own_peers): $(out)/%: $(out)/%.o $(out)/libtun.a $(out)/libtuntcp.a
	$(CC) $(our_ldflags) $(LDFLAGS) -o $@ $^

# Without our library: many of its functions are called as lwIP's are.
$(out)/tests/bench/peers/lwip.o: our_cflags += -isystem /usr/include/lwip
$(out)/tests/bench/peers/lwip: $(out)/tests/bench/peers/lwip.o
	$(CC) $(our_ldflags) $(LDFLAGS) -o $@ $^ -llwip -lpthread

# BENCH="--runs 3 ping cc" measures these rows only; scripts/bench --help.
bench: $(apps) $(bench_peers)
	@TBENCH=$(out)/tbench PEERS=$(out)/tests/bench/peers scripts/bench $(BENCH)

.PHONY: bench-cpu bench-growth instructions
bench-cpu: $(out)/tests/bench/bulk
	@$<

# GROWTH=100000 goes up to so many connections.
bench-growth: $(out)/tests/bench/growth $(out)/tests/bench/parts
	@$(out)/tests/bench/growth $(GROWTH)
	@$(out)/tests/bench/parts

instructions: $(out)/tests/bench/instructions
	@scripts/instructions $<

# LOSS="--seeds 3 10mbit" measures the cells of that name only, with three seeds each.
.PHONY: bench-loss
bench-loss: $(apps) $(bench_peers)
	@TNC=$(out)/tnc PEERS=$(out)/tests/bench/peers tests/bench/loss $(LOSS)

# ---- fuzzers: every file in tests/fuzz is a libFuzzer entry; its seeds are in tests/fuzz/corpus/NAME

FUZZ_CC ?= clang
fuzz_names := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))
fuzz_flags := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all

build/fuzz/obj/%.o: %.c
	@mkdir -p $(@D)
	$(FUZZ_CC) -std=c11 -D_GNU_SOURCE $(warnings) $(fuzz_flags) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

$(addprefix build/fuzz/,$(fuzz_names)): build/fuzz/%: build/fuzz/obj/tests/fuzz/%.o \
                                        $(patsubst %.c,build/fuzz/obj/%.o,$(stack_sources))
	$(FUZZ_CC) $(fuzz_flags) -fsanitize=fuzzer -o $@ $^

build/fuzz/virtio: build/fuzz/obj/tun/virtio.o build/fuzz/obj/tun/segments.o

build/fuzz/walk build/fuzz/predict: $(patsubst %.c,build/fuzz/obj/%.o,$(model_sources))

fuzz: $(addprefix build/fuzz/,$(fuzz_names))
	@for name in $(fuzz_names); do \
	    mkdir -p build/fuzz/grown/$$name; \
	    echo "fuzz $$name: $(FUZZ_SECONDS) s ..."; \
	    build/fuzz/$$name -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=1024 \
	        -artifact_prefix=build/fuzz/$$name- build/fuzz/grown/$$name tests/fuzz/corpus/$$name \
	        >build/fuzz/$$name.log 2>&1 || \
	        { tail -n 60 build/fuzz/$$name.log; echo "fuzz $$name: failed"; exit 1; }; \
	    echo "fuzz $$name: $$(sed -n 's/^Done \([0-9]*\) runs.*/\1 inputs/p' build/fuzz/$$name.log), no fault"; \
	done

# ---- the requirements of RFC 9293, and where they are met; LABELS="MUST-13 SHLD-4" shows these only

conformance:
	@scripts/conformance $(LABELS)

# ---- the tests' teeth; MUTANTS="-v urgent" shows what killed those with "urgent" in their title

.PHONY: mutants
mutants:
	@scripts/mutants $(MUTANTS)

# ---- form

c_files = $(shell find stack tun apps tests -name '*.[ch]' | sort)

lint: $(out)/libtuntcp.a format-check
	@CC="$(CC)" scripts/lint $(out)/libtuntcp.a

format:
	clang-format -i $(c_files)

format-check:
	clang-format --dry-run -Werror $(c_files)

# Everything that compiles, without running it: what another compiler is tried with.
.PHONY: programs
programs: $(apps) $(unit_programs) $(talk_programs) $(sim_programs) $(e2e_programs) $(bench_programs) $(bench_peers)

# ---- installation: the programs, and the stack as a library with the headers of its public calls

public_headers = $(wildcard stack/stack.h stack/packet.h stack/trace.h stack/wire/*.h stack/tcp/tcp.h \
                   stack/tcp/config.h stack/settings.h stack/udp/udp.h stack/dns/dns.h)

install: all
	@mkdir -p $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib
	install -m 755 $(apps) $(DESTDIR)$(PREFIX)/bin/
	install -m 644 $(out)/libtuntcp.a $(DESTDIR)$(PREFIX)/lib/
	@for header in $(public_headers); do \
	    install -D -m 644 $$header $(DESTDIR)$(PREFIX)/include/tuntcp/$${header#stack/} || exit 1; done
	@echo "The headers are in $(DESTDIR)$(PREFIX)/include/tuntcp."

uninstall:
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/bin/,$(app_names)) $(DESTDIR)$(PREFIX)/lib/libtuntcp.a
	rm -rf $(DESTDIR)$(PREFIX)/include/tuntcp
