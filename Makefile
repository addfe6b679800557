# The front door. `make help` lists what there is.
.DEFAULT_GOAL := help
.PHONY: help deps build demo test torture simulate bench bench-check scaling peers nightly format format-check lint docs install clean

PREFIX ?= /usr/local
DESTDIR ?=
MINUTES ?= 5
RELEASE := build/release

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

deps: ## install the Debian packages that are missing, for build, tests and benchmarks
	@tools/deps.sh test bench

build: ## build the release binary, build/release/logflume
	@tools/deps.sh
	@test -e $(RELEASE)/build.ninja || cmake --preset release -DLOGFLUME_TESTS=OFF --log-level=WARNING >/dev/null
	@cmake --build $(RELEASE) --target logflume

demo: build ## logs through the agent, with a rotation in the middle, and the proof that none is lost
	@python3 tools/demo.py $(RELEASE)/logflume

test: ## everything that CI checks; tools/test.py --help for parts of it
	@tools/deps.sh test bench
	@python3 tools/test.py

torture: build ## kill, starve and confuse it for an hour, and count every line; MINUTES, SCENARIO, SEED
	@python3 tools/torture.py

simulate: ## the agent on a simulated disk through random crashes, for MINUTES (5), with seeds never used before
	@tools/deps.sh test
	@cmake --preset release -DLOGFLUME_TESTS=ON --log-level=WARNING >/dev/null
	@cmake --build $(RELEASE) --target simulate
	@$(RELEASE)/src/simulation/simulate --minutes $(MINUTES) --jobs $$(nproc) --first $$(date +%s)000000

bench: ## the benchmarks, against the limit of this machine, into docs/benchmarks.md
	@tools/deps.sh test bench
	@bench/run --write

scaling: ## throughput by cores and quotas beside a model's prediction, into docs/performance.md
	@tools/deps.sh test bench
	@bench/scaling --write

peers: ## the same workloads through other collectors, into docs/benchmarks.md
	@tools/deps.sh test bench
	@bench/peers/fetch rsyslog syslog-ng
	@bench/peers/run --write

bench-check: ## instructions a line of the hot paths, against those recorded in bench/instructions.json
	@tools/deps.sh test bench
	@bench/check

nightly: ## what takes long: 100,000 files, a 10 GB backlog, a sink that hangs for 5 minutes
	@tools/deps.sh test bench
	@bench/nightly --write

format: ## format the C++ sources
	@tools/format.sh

format-check: ## say which C++ sources are not formatted
	@tools/format.sh --check

lint: ## clang-tidy
	@tools/deps.sh test bench
	@tools/lint.sh

docs: build ## regenerate docs/configuration.md from the binary
	@$(RELEASE)/logflume schema --markdown >docs/configuration.md.new && mv docs/configuration.md.new docs/configuration.md

install: build ## install below PREFIX (/usr/local), with man page and completions
	@DESTDIR='$(DESTDIR)' cmake --install $(RELEASE) --prefix '$(PREFIX)'

clean: ## remove what was built
	@rm -rf build
