# `make help` lists what is here. Nothing but Python 3.11+ and make is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help install run test lint check bench chaos fuzz browser lock clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/installed ## Install into .venv, with the `afterword` command

run: install ## Try it all here: Redis, a sandbox Dixa, the web and the worker
	@exec $(BIN)/python -m service.sandbox.run

test: $(VENV)/installed-dev ## Run all tests
	@$(BIN)/python -m pytest

lint: $(VENV)/installed-dev ## Check style, types and who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

check: lint test ## Everything that CI checks

browser: ## Install the headless Chromium that the browser tests use (Debian, as root)
	@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-noto-core; }

bench: $(VENV)/installed-dev ## Print the README's figures of speed
	@$(BIN)/python -m tests.bench.slow_clients

chaos: $(VENV)/installed-dev ## Print the README's table of faults: every row, long, with three seeds (hours)
	@$(BIN)/python -m tests.chaos

fuzz: $(VENV)/installed-dev ## Send 100,000 cases of bad input, and count what came of them
	@$(BIN)/python -m tests.fuzz

lock: $(VENV)/installed-dev ## Renew the lock files from pyproject.toml
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate $(UPGRADE) pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate $(UPGRADE) -c requirements.txt --extra try pyproject.toml -o requirements-try.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate $(UPGRADE) -c requirements-try.txt --extra try --extra dev pyproject.toml -o requirements-dev.txt

clean: ## Remove what the other commands made
	rm -rf $(VENV) var build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("Afterword needs Python 3.11 or newer; this is %d.%d. Name another one: make PYTHON=python3.12 …" % v[:2])'
	@echo "Making $(VENV) …"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/installed: requirements-try.txt pyproject.toml | $(BIN)/python
	@echo "Installing what Afterword needs into $(VENV) (once; a minute or so) …"
	@$(PIP) install --progress-bar off --require-hashes -r requirements-try.txt
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	@echo "Installing what the tests and linters need …"
	@$(PIP) install --progress-bar off --require-hashes -r requirements-dev.txt
	@touch $@
