# weft: one door to every task. Meson and Ninja do the work; each target first installs what it lacks (tools/install_deps.sh).
#   make BUILD=folder WERROR=1 CC=clang ...   WERROR defaults to 1 where CI is set
BUILD  ?= build
WERROR ?= $(if $(CI),1,)
PREFIX ?= /usr/local
DESTDIR ?=
PYTHON ?= python3

# make's own default for CC is "cc"; only a compiler that was asked for goes to Meson.
ifeq ($(origin CC),default)
CC_ASKED :=
else
CC_ASKED := CC=$(CC)
endif
deps  = @sh tools/install_deps.sh
setup = env $(CC_ASKED) sh tools/setup_build.sh
strict = $(if $(WERROR),--werror)

.DEFAULT_GOAL := build
.PHONY: build test quick parity bench bench-quick bench-kernels fuzz format format-check lint check demo docs install clean help

build: ## build the program and the library (default)
	$(deps) build
	@$(setup) $(BUILD) $(strict)
	ninja -C $(BUILD)

test: ## every test, in a normal build and in one with address and undefined-behaviour sanitizers
	$(deps) build test
	@$(setup) $(BUILD) $(strict)
	@$(setup) $(BUILD)-sanitize $(strict) -Dbuildtype=debugoptimized -Db_sanitize=address,undefined -Dc_args=-fno-sanitize-recover=all
	$(PYTHON) tools/run_tests.py $(BUILD) $(BUILD)-sanitize

quick: format-check ## normal build, fast tests, layers, format: the gate before a commit
	$(deps) build test
	@$(setup) $(BUILD) $(strict)
	$(PYTHON) tools/run_tests.py --no-suite slow $(BUILD)

parity: build ## compare with the Python library's stored and fresh results
	BUILD=$(BUILD) sh tools/parity.sh

bench: build ## weft beside PyTorch, ONNX Runtime and CTranslate2 in one run; writes docs/performance.md
	BUILD=$(BUILD) sh tools/bench_peers.sh $(BENCH)

bench-quick: build ## the same for development: one short round of a few works; docs/ stays as it is
	BUILD=$(BUILD) sh tools/bench_peers.sh --quick $(BENCH)

bench-kernels: build ## speed of each kernel on this machine
	ninja -C $(BUILD) bench/bench_kernels
	$(BUILD)/bench/bench_kernels

fuzz: ## fuzz the parsers
	$(deps) build clang
	WEFT_FUZZ_BUILD=$(BUILD)-fuzz sh tools/fuzz.sh

format: ## lay every C file out by .clang-format
	$(deps) format
	@git ls-files '*.c' '*.h' | xargs clang-format -i

format-check:
	$(deps) format
	@git ls-files '*.c' '*.h' | xargs clang-format --dry-run -Werror

check: ## layers and banned functions
	$(PYTHON) tools/check_layers.py
	$(PYTHON) tools/check_style.py

lint: check ## clang-tidy over the sources, layers, banned functions
	$(deps) build lint
	@$(setup) $(BUILD) $(strict)
	BUILD=$(BUILD) sh tools/lint.sh

demo: build ## the main job on real text, from download to report
	$(deps) demo
	BUILD=$(BUILD) sh tools/demo.sh

docs: ## docs/reference.md from the public headers
	$(PYTHON) tools/docs.py

install: build ## install below PREFIX (and DESTDIR)
	meson configure $(BUILD) -Dprefix=$(PREFIX)
	DESTDIR=$(DESTDIR) meson install -C $(BUILD)
	@if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" = 0 ]; then ldconfig; fi

clean: ## remove what was built
	rm -rf $(BUILD) $(BUILD)-sanitize $(BUILD)-fuzz

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' Makefile | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'
