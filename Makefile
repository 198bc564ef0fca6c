# al-loop: every target works as the first command in a fresh clone (python3 >= 3.11, make and a package registry).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OL_VERSION := 10.11.0
UV_VERSION := 0.13.9
DATA ?=
SEED ?= 1
EXAMPLES ?= 20
OUT ?= demo-out
TESTS ?=
WORKERS ?= 4
LOCK := --universal --generate-hashes --python-version 3.11 --no-header --no-annotate --quiet

# Bytecode saves ten seconds at each start of a training process.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help vendor venv demo test test-all test-fast test-only lint format types docs bench fuzz cli-docs async-client wheel lock clean

help: ## Show this list.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(VENV)/installed: requirements.lock requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "al-loop needs Python >= 3.11: make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock -r requirements-dev.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

venv: $(VENV)/installed ## Make .venv with everything pinned in requirements*.lock.

demo: venv ## Run the whole loop with a simulated annotator (DATA=dir: on a labelled folder).
	$(BIN)/python -m service.demo $(if $(DATA),--data $(DATA)) --out $(OUT)

test: venv ## Lint, type check, documentation and tests, but for those that take minutes (TESTS=all: these, too).
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory --jobs 3 types docs test-only

test-all: ## All that CI runs.
	@$(MAKE) --no-print-directory test TESTS=all

test-fast: lint ## Lint, and the tests that start no service, browser or training.
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -m "not slow" --hypothesis-profile=part

test-only: venv ## The tests alone (TESTS=all: all of them).
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal $(if $(filter all,$(TESTS)),,-m "not thorough" --hypothesis-profile=part)

lint: venv ## ruff (lint and format) and typos.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/typos

fuzz: venv ## Send generated requests to a service and compare its answers with the OpenAPI document (SEED=1 EXAMPLES=20).
	$(BIN)/python -m tests.data.serve_for_fuzzing --seed $(SEED) --max-examples $(EXAMPLES) --phases coverage,fuzzing

types: venv ## mypy --strict.
	$(BIN)/mypy

format: venv ## Format and sort imports.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: venv ## Build the documentation into site/; warnings are errors, no network is needed.
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

bench: venv ## Benchmarks: ratios against a baseline in the same run.
	@set -e; for file in tests/benchmarks/bench_*.py; do echo "== $$file"; PYTHONPATH=. $(BIN)/python $$file; done

cli-docs: venv ## Write docs/cli.md from the command line itself.
	$(BIN)/python -m typer service.cli utils docs --name al-loop --title "Command line" --output docs/cli.md

async-client: venv ## Write the asynchronous client from the other one.
	$(BIN)/python -m tests.data.write_async_client

wheel: venv ## Build dist/al_loop-VERSION-py3-none-any.whl.
	$(BIN)/python -m hatchling build -t wheel -d dist

lock: venv ## Pin all dependencies anew (with hashes, without registry addresses).
	$(BIN)/uv pip compile $(LOCK) --extra train pyproject.toml -c constraints.txt -o requirements.lock
	$(BIN)/uv pip compile $(LOCK) pyproject.toml -c requirements.lock -o requirements-serve.lock
	$(BIN)/uv pip compile $(LOCK) --group pyproject.toml:dev -c requirements.lock -o requirements-dev.lock

vendor: ## Bundle the libraries of the annotator page anew (needs Node.js and npm).
	npm install --silent --no-audit --no-fund --prefix .vendor-build ol@$(OL_VERSION) clipper-lib@6.4.2 esbuild@0.28.2
	cp service/page/vendor/openlayers/entry.mjs .vendor-build
	.vendor-build/node_modules/.bin/esbuild .vendor-build/entry.mjs --bundle --format=esm --minify --target=es2022 \
	  --legal-comments=none --outfile=service/page/vendor/openlayers/openlayers.js
	rm -rf .vendor-build

clean: ## Remove what the targets made.
	rm -rf $(VENV) test-artefacts .schemathesis .mypy_cache .ruff_cache .pytest_cache .hypothesis site dist $(OUT)
