# Everything a developer or CI runs. Tools and dependencies are installed into the checkout.
#
#   make serve     build dist/kstream and start a broker with its data in ./data
#   make test      unit and integration tests (test-unit, test-integration: one of them)
#   make check     format, lint, types, floating promises
#   make build     dist/kstream
#   make sim       the simulators, one after the other, until one finds something (WORLD=name for
#                  one: storage, cleaner, transactions, groups, share, replication, metadata, gossip,
#                  cluster; SEEDS=n for so many, SEED=n for one again)
#   make compat    other people's clients against the built binary (SUITE=name for one)
#   make faults    kill -9 rounds and hostile input against the built binary (ROUNDS=100)
#   make bench     measurements against Apache Kafka (takes long; see docs/benchmarks.md)
#   make prove     every proof in full, resumable (SUITE=name for one, FRESH=1 to start over)
#   make package   dist/package: the client library as npm package
#   make docs      write docs/commands.md, metrics.md and connectors.md from what they tell of
#   make man       man pages in dist/man
#   make install   copy binary, man pages and completions below PREFIX (default ~/.local)

SHELL := /bin/bash
.DEFAULT_GOAL := build
.DELETE_ON_ERROR:

export PATH := $(CURDIR)/.tools/bin:$(CURDIR)/node_modules/.bin:$(PATH)
export NO_COLOR := 1

PREFIX ?= $(HOME)/.local
DATA ?= ./data
ROUNDS ?= 100

# With "./" before it a folder is one to the test runner, else a part of any path.
PRODUCT_DIRS := $(wildcard core storage cluster broker client cmd admin connect stream testing)
PRODUCT := main.ts $(shell find $(PRODUCT_DIRS) -name '*.ts' ! -name '*.test.ts' 2>/dev/null)
PAGES := $(shell find admin/ui -not -path '*/server/*' -type f 2>/dev/null)
ENTRIES := main.ts admin/ui/main.tsx $(wildcard scripts/*.ts examples/*/*.ts tests/*.ts tests/*/*.ts tests/*/*/*.ts bench/*.ts) \
           $(shell find $(PRODUCT_DIRS) -name '*.test.ts' 2>/dev/null)

.PHONY: package tools deps build serve test test-unit test-integration check fmt compat cluster faults bench sim prove docs man install clean

tools:
	@scripts/setup-tools.sh

node_modules/.installed: deno.json deno.lock | tools
	@deno install --quiet --frozen
	@touch $@

deps: tools node_modules/.installed

dist/ui/pages.bundle: $(PAGES) scripts/build-ui.ts node_modules/.installed
	@bun scripts/build-ui.ts

dist/stream/library.bundle: $(PRODUCT) node_modules/.installed
	@mkdir -p dist/stream
	@bun build --target=bun --minify --outfile $@ cmd/stream/test-library.ts >/dev/null

dist/kstream: $(PRODUCT) dist/ui/pages.bundle dist/stream/library.bundle node_modules/.installed
	@mkdir -p dist
	@bun build --compile --compile-autoload-package-json --minify --bytecode --splitting --format=esm --sourcemap=none --outfile dist/kstream.new main.ts ./cmd/serve/offload-worker.ts ./cmd/connect/hosts/host-thread.ts ./cmd/stream/threads/app-thread.ts ./dist/ui/pages.bundle ./dist/stream/library.bundle >/dev/null
	@mv dist/kstream.new dist/kstream

build: deps dist/kstream

serve: build
	@exec dist/kstream serve --data $(DATA)

check: deps
	deno fmt --check --quiet
	deno lint --quiet
	@deno check --quiet $(ENTRIES)
	bun --bun run oxlint --quiet --type-aware -A all -D typescript/no-floating-promises \
	  -D typescript/no-misused-promises $(PRODUCT_DIRS) tests bench main.ts
	bun test --timeout 60000 tests/tidy.test.ts

fmt: deps
	deno fmt --quiet

test: test-unit test-integration

test-unit: build
	bun test --timeout 60000 $(addprefix ./,$(PRODUCT_DIRS)) ./tests/reference.test.ts

test-integration: build
	bun test --parallel=2 --timeout 60000 ./tests/integration

compat: build
	bun tests/compat/run.ts $(SUITE)

faults: build
	bun tests/faults/run.ts --rounds $(ROUNDS)

cluster: build
	bun tests/cluster/run.ts $(if $(ONLY),--only "$(ONLY)")

sim: deps
	bun tests/sim/main.ts $(if $(WORLD),--world $(WORLD)) \
	  $(if $(SEED),--seed $(SEED),$(if $(SEEDS),--seeds $(SEEDS),--forever))

bench: build
	bun bench/run.ts $(BENCH)

package: deps
	@bun scripts/package.ts

prove: build
	bun tests/prove.ts $(if $(FRESH),--fresh) $(SUITE)

docs: deps
	bun scripts/reference.ts docs
	deno fmt --quiet docs/commands.md docs/metrics.md docs/connectors.md

man: deps
	bun scripts/reference.ts man dist/man

install: build man
	@install -d "$(PREFIX)/bin" "$(PREFIX)/share/man/man1" \
	  "$(PREFIX)/share/bash-completion/completions" "$(PREFIX)/share/zsh/site-functions" \
	  "$(PREFIX)/share/fish/vendor_completions.d"
	@install -m 755 dist/kstream "$(PREFIX)/bin/kstream"
	@install -m 644 dist/man/*.1 "$(PREFIX)/share/man/man1"
	@dist/kstream completion bash > "$(PREFIX)/share/bash-completion/completions/kstream"
	@dist/kstream completion zsh > "$(PREFIX)/share/zsh/site-functions/_kstream"
	@dist/kstream completion fish > "$(PREFIX)/share/fish/vendor_completions.d/kstream.fish"
	@echo "installed $(PREFIX)/bin/kstream"

clean:
	rm -rf dist tests/out
