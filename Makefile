# lnclip: see `make help`. Two commands do everything: `make demo` and `make test`.
#
# Objects live in build/CONFIG[-clang], one folder per configuration; nothing else is written but the
# link ./lnclip. No -march and no fast-math: kernels are chosen at run time, results are the same bits.

VERSION := 0.1.0
CONFIG  ?= release
CC      := $(if $(filter default,$(origin CC)),gcc,$(CC))
BUILD   ?= build/$(CONFIG)$(if $(findstring clang,$(CC)),-clang)
PREFIX  ?= /usr/local
ifneq ($(words $(BUILD)),1)
$(error BUILD=$(BUILD): make cannot build in a folder with blanks in its name; the folder of the sources may have them)
endif
JOBS    ?= $(shell nproc)
MODULES := tensor vit data train

# WITH_PNG=0 or WITH_JPEG=0 leave out libpng or libjpeg-turbo; stb_image then decodes (docs/formats.md).
WITH_PNG  ?= 1
WITH_JPEG ?= 1
# WITH_DEFLATE=0 leaves out libdeflate; zlib then inflates PNG, to the same pixels in more time.
WITH_DEFLATE ?= 1
# WITH_AV=0 leaves out FFmpeg, whose headers only are needed here: `lnclip faces` then reads no videos.
WITH_AV ?= 1

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wvla -Wundef
# A write past the end of the stack or of a buffer of known size ends the program at once, before it does harm. -U
# first: some distributions define another level.
HARDENING := -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
CONFIG_release := -O3 -g $(HARDENING)
CONFIG_debug   := -O0 -g3
CONFIG_asan    := -O1 -g -fsanitize=address -fno-omit-frame-pointer
CONFIG_ubsan   := -O1 -g -fsanitize=undefined -fno-sanitize-recover=all
CONFIG_tsan    := -O1 -g -fsanitize=thread
# Sanitizers leave loops alone that are meant to be vectorised: no warning.
CONFIG_fuzz    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fsanitize=fuzzer-no-link \
                  -fno-omit-frame-pointer -Wno-pass-failed
ifeq ($(CONFIG_$(CONFIG)),)
$(error CONFIG=$(CONFIG) is unknown; use release, debug, asan, ubsan, tsan or, with CC=clang, fuzz)
endif

DEFINES  := -D_GNU_SOURCE -DLNCLIP_VERSION='"$(VERSION)"' \
            -DLNCLIP_WITH_PNG=$(WITH_PNG) -DLNCLIP_WITH_JPEG=$(WITH_JPEG) \
            -DLNCLIP_WITH_DEFLATE=$(WITH_DEFLATE) -DLNCLIP_WITH_AV=$(WITH_AV)
COMPILE   = $(CC) -std=c11 -I. -pthread $(DEFINES) $(WARNINGS) $(CONFIG_$(CONFIG)) $(CPPFLAGS) $(CFLAGS)
LINK      = $(CC) -pthread $(CONFIG_$(CONFIG)) $(LDFLAGS)
LDLIBS   := -lopenblas -ljansson -lxxhash -lm \
            $(if $(filter 1,$(WITH_PNG)),-lpng) $(if $(filter 1,$(WITH_JPEG)),-ljpeg) \
            $(if $(filter 1,$(WITH_DEFLATE)),-ldeflate) $(if $(filter 1,$(WITH_AV)),-ldl)

# One short line a file; V=1 shows whole commands.
Q := $(if $(V),,@)
say = $(if $(V)$(findstring s,$(firstword -$(MAKEFLAGS))),,@echo '  $(1)')

objects = $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard $(1))))
LIBRARY_OBJECTS := $(call objects,$(MODULES:%=%/*.c) $(MODULES:%=%/*/*.c))
TOOL_OBJECTS    := $(call objects,tools/*.c tools/*/*.c)
# Headers that only one folder's files include; they are not installed.
PRIVATE_HEADERS := %_private.h %_template.h
LIBRARIES := $(MODULES:%=$(BUILD)/liblnclip_%.a) $(BUILD)/liblnclip.a
TESTS := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/test_*.c)))

all: $(BUILD)/lnclip $(LIBRARIES) ## build ./lnclip and the static libraries (default)

# Set-up comes first, also under -j: hence the second make.
demo: setup ## install missing packages, build, and run the method in miniature (under 3 minutes)
	@$(MAKE) --no-print-directory -j$(JOBS) all
	$(BUILD)/lnclip demo --out demo-out

test: setup-test ## install missing packages, build, and run all tests (under 6 minutes)
	@$(MAKE) --no-print-directory -j$(JOBS) all tests
	@BUILD=$(BUILD) tests/run.sh $(TESTS)

tests: $(TESTS)

# Harnesses of tests/fuzz under clang's libFuzzer with its sanitizers, in a build folder of their own.
FUZZ := build/fuzz
SECONDS ?= 60
fuzz: setup-fuzz ## fuzz every file reader for SECONDS=60 each (NAMES="png list ..." selects some)
	@$(MAKE) --no-print-directory -j$(JOBS) CC=clang CONFIG=fuzz BUILD=$(FUZZ) $(FUZZ)/lnclip $(FUZZ)/lnclip_fuzz
	@tests/fuzz/run.sh $(FUZZ) $(SECONDS) $(NAMES)

check-long: all $(TESTS) ## run the long checks: full-size models, comparison with PyTorch (needs python3-torch)
	BUILD=$(BUILD) tests/check_long.sh

# Both sides without a core type forced on OpenBLAS from outside. PYTHON: Debian's, which python3-torch is for.
PYTHON ?= /usr/bin/python3
bench: all ## measure the speed and the fraction of peak, and PyTorch's if python3-torch is installed
	@env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE $(BUILD)/lnclip bench
	@echo
	@if $(PYTHON) -c 'import torch' 2>/dev/null; then \
	    $(PYTHON) tests/torch_bench.py $(BUILD)/lnclip; \
	else \
	    echo "PyTorch: not compared: $(PYTHON) cannot import torch; on Debian: apt-get install python3-torch"; \
	fi

lint: ## check format, static analysis and project rules
	tests/lint.sh

format: ## reformat all sources with clang-format 14
	clang-format-14 -i $(shell git ls-files '*.[ch]')

setup: ## install missing libraries
	@tools/setup.sh build
setup-test:
	@tools/setup.sh build test
setup-lint:
	@tools/setup.sh build test lint
setup-fuzz:
	@tools/setup.sh build fuzz

# DESTDIR and PREFIX may hold any characters: they reach the shell in single quotes, unexpanded by make.
quote = '$(subst ','\'',$(1))'
INTO   = $(call quote,$(value DESTDIR)$(value PREFIX))
# In a .pc file, a blank of a path is escaped; & | \ are special in sed's replacement.
install: all ## install program, library, headers, pkg-config file and man page, shell completion (DESTDIR=, PREFIX=)
	@mkdir -p -- $(INTO)/bin $(INTO)/lib/pkgconfig $(INTO)/share/man/man1 \
	    $(INTO)/share/bash-completion/completions $(INTO)/share/zsh/site-functions
	install -m 755 -- $(BUILD)/lnclip $(INTO)/bin/
	install -m 644 -- $(BUILD)/liblnclip.a $(INTO)/lib/
	install -m 644 -- docs/lnclip.1 $(INTO)/share/man/man1/
	$(BUILD)/lnclip help --completion bash > $(INTO)/share/bash-completion/completions/lnclip
	$(BUILD)/lnclip help --completion zsh > $(INTO)/share/zsh/site-functions/_lnclip
	@prefix=$$(printf '%s\n' $(call quote,$(value PREFIX)) | sed -e 's|[\\ ]|\\&|g' -e 's/[\\&|]/\\&/g') && \
	sed -e "s|@PREFIX@|$$prefix|" -e 's|@VERSION@|$(VERSION)|' -e 's|@LIBS@|$(LDLIBS)|' tools/lnclip.pc.in \
	    > $(INTO)/lib/pkgconfig/lnclip.pc
	@for header in $(filter-out $(PRIVATE_HEADERS),$(wildcard $(MODULES:%=%/*.h) $(MODULES:%=%/*/*.h))); do \
	    install -D -m 644 -- $$header $(INTO)/include/lnclip/$$header || exit 1; done

clean: ## remove all build output
	rm -rf build lnclip

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | column -t -s '|'
	@echo "  CONFIG=release|debug|asan|ubsan|tsan, CC=gcc|clang, WITH_PNG=0, WITH_JPEG=0, WITH_DEFLATE=0, WITH_AV=0 select a build; V=1 prints the commands"

$(BUILD)/lnclip: $(TOOL_OBJECTS) $(BUILD)/liblnclip.a
	$(call say,LINK $@)
	$(Q)$(LINK) -o $@ $^ $(LDLIBS)
	$(if $(filter build/release,$(BUILD)),@ln -sf $@ lnclip)

$(BUILD)/liblnclip.a: $(LIBRARY_OBJECTS)
define module_library
$(BUILD)/liblnclip_$(1).a: $(filter $(BUILD)/$(1)/%,$(LIBRARY_OBJECTS))
endef
$(foreach module,$(MODULES),$(eval $(call module_library,$(module))))
$(LIBRARIES):
	@rm -f $@
	$(call say,AR   $@)
	$(Q)$(AR) rcs $@ $^

$(BUILD)/tests/test_%: $(BUILD)/tests/test_%.o $(call objects,tests/support*.c) $(BUILD)/liblnclip.a
	$(call say,LINK $@)
	$(Q)$(LINK) -o $@ $^ $(LDLIBS) $$(pkg-config --libs check)

# The command line's harness takes the place of exit and atexit (tests/fuzz/fuzz_tables.c).
$(BUILD)/lnclip_fuzz: $(call objects,tests/fuzz/*.c) $(filter-out %/main.o,$(TOOL_OBJECTS)) $(BUILD)/liblnclip.a
	$(call say,LINK $@)
	$(Q)$(LINK) -fsanitize=fuzzer -Wl,--wrap=exit,--wrap=atexit -o $@ $^ $(LDLIBS) -lz

# Without errno, sqrtf is one instruction and its loops are vectorised.
$(BUILD)/data/faces/hog.o: private CPPFLAGS += -fno-math-errno

# The revision goes into one small file, so that a commit does not build everything anew.
REVISION := $(or $(if $(wildcard .git),$(shell git describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null)),unknown)
$(BUILD)/train/run/revision.o: private CPPFLAGS += -DLNCLIP_REVISION='"$(REVISION)"'
$(BUILD)/train/run/revision.o: $(BUILD)/revision
$(BUILD)/revision: FORCE
	@mkdir -p $(BUILD)
	@echo '$(REVISION)' | cmp -s - $@ || echo '$(REVISION)' > $@

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC   $<)
	$(Q)$(COMPILE) -MMD -MP -c -o $@ $<

# Holds the compiler's command line: another one rebuilds everything.
$(BUILD)/flags: FORCE
	@mkdir -p $(BUILD)
	@echo '$(COMPILE)' | cmp -s - $@ || echo '$(COMPILE)' > $@

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

.SECONDARY:
.PHONY: all demo test tests check-long bench lint format setup setup-test setup-lint setup-fuzz fuzz install clean help FORCE
