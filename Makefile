# SPDX-License-Identifier: MIT
# The front door.  Meson does the work, in $(BUILD).
#
#   make             build/quire and build/libquire.so
#   make demo        one real program in a quarter of its memory
#   make test        all tests
#   make bench       the benchmarks, beside the kernel and other allocators
#   make install     under $(DESTDIR)$(PREFIX)
#   make check-format, make deps, make clean
#
# demo, test and bench install the Debian packages that they miss; all only names them.

BUILD  = build
PREFIX = /usr/local

NINJA = ninja -C $(BUILD)

# Meson would fill blocks at random, in libc's malloc alone: a plain run's peak would
# then not be the program's.
export MALLOC_PERTURB_ = 0

.PHONY: all demo test bench install check-format deps clean ci
.NOTPARALLEL:

all:
	@scripts/deps.sh --check build
	@$(MAKE) --no-print-directory build-only

.PHONY: build-only
build-only: $(BUILD)/build.ninja
	@$(NINJA)

$(BUILD)/build.ninja:
	meson setup --prefix $(PREFIX) $(BUILD)

deps:
	@scripts/deps.sh test

demo:
	@scripts/deps.sh build
	@$(MAKE) --no-print-directory build-only
	@demo/demo.sh $(BUILD)

test:
	@scripts/deps.sh test
	@$(MAKE) --no-print-directory build-only
	meson test -C $(BUILD) --no-rebuild --print-errorlogs

bench:
	@scripts/deps.sh build
	@$(MAKE) --no-print-directory build-only
	@for bench in bench/*/run.py; do \
		python3 -B "$$bench" --quire $(BUILD)/quire || exit 1; \
	done

# The prefix may differ from the one that the build directory was made with.
install: all
	meson configure $(BUILD) -Dprefix=$(PREFIX)
	meson install -C $(BUILD)

check-format:
	python3 -B tests/checks/layout.py .

ci:
	.ci/run

clean:
	rm -rf $(BUILD)
