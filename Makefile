# Everything works on a fresh clone with Python 3.11 or newer, pip and make; see `make help`.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
PORT ?= 3000
TEST_WORKERS ?= 3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
HOME_CONFIG := .dagster/dagster.yaml

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
export NO_MKDOCS_2_WARNING := 1

.PHONY: help venv demo dev test stress lint format bench docs lock browser mariadb prometheus redis clean

help: ## Show what can be made
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(INSTALLED) ## Create .venv from requirements.lock (quick when nothing changed)

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@# The lock names everything that is needed: nothing is left to resolve.
	$(BIN)/python -m pip install --quiet --no-compile --no-deps --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@# Without byte code a short command spends half of its time on compiling imports.
	@$(BIN)/python -m compileall -q -j 0 -x '/tests/|/(kubernetes|sympy|sklearn)/' \
		$(VENV)/lib etl_platform etl_platform_tests >/dev/null || true
	@touch $@

$(HOME_CONFIG): dagster.yaml
	@mkdir -p $(@D) && ln -sfn ../dagster.yaml $@

demo: $(INSTALLED) $(HOME_CONFIG) ## Load, check and query the real flights data, and print what happened
	DAGSTER_HOME=$(CURDIR)/.dagster $(BIN)/python -m etl_platform.demo

dev: $(INSTALLED) $(HOME_CONFIG) ## Open the Dagster UI and daemon on 127.0.0.1 (PORT=3000) with the same definitions
	DAGSTER_HOME=$(CURDIR)/.dagster $(BIN)/python -m etl_platform.demo --prepare
	DAGSTER_HOME=$(CURDIR)/.dagster PATH="$(CURDIR)/$(BIN):$$PATH" \
		$(BIN)/dagster dev --workspace workspace.yaml --host 127.0.0.1 --port $(PORT)

test: $(INSTALLED) browser mariadb prometheus ## Run the tests (PYTEST_ARGS="-k name" for some of them)
	$(BIN)/python -m pytest --numprocesses $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder \
		--max-worker-restart 2 $(PYTEST_ARGS)

stress: $(INSTALLED) redis ## Run the long suites: kills by the hundred, millions of messages
	$(BIN)/python -m pytest -m stress -s --timeout=3600 $(PYTEST_ARGS)

lint: $(INSTALLED) ## Check format, lint rules and types
	@status=0; for check in "ruff format --check" "ruff check" pyright; do \
		echo "$$check"; $(BIN)/$$check || status=1; done; exit $$status

format: $(INSTALLED) ## Format and fix what can be fixed
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(INSTALLED) ## Time the platform beside its peers and print ratios
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

docs: $(INSTALLED) ## Build the documentation as pages in build/site, with the reference made from the code
	$(BIN)/mkdocs build --config-file docs/site/mkdocs.yml
	@echo "build/site/index.html"

lock: $(INSTALLED) ## Rewrite requirements.lock with the newest releases that fit pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --upgrade --all-extras --universal --python-version 3.11 \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate --quiet --output-file requirements.lock

browser:
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
		apt-get install -qq -y --no-install-recommends chromium </dev/null >/dev/null; } \
		|| echo "chromium is not installed: tests that need it say so"

mariadb:
	@test -x /usr/sbin/mariadbd || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
		apt-get install -qq -y --no-install-recommends mariadb-server </dev/null >/dev/null; } \
		|| echo "mariadb-server is not installed: tests that need it say so"

prometheus:
	@command -v promtool >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
		apt-get install -qq -y --no-install-recommends prometheus </dev/null >/dev/null; } \
		|| echo "prometheus is not installed: tests that need it say so"

redis:
	@command -v redis-server >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
		apt-get install -qq -y --no-install-recommends redis-server </dev/null >/dev/null; } \
		|| echo "redis-server is not installed: tests that need it say so"

clean: ## Remove what the targets made: environment, lake, Dagster home, caches
	rm -rf $(VENV) build .dagster .etl .demo .benchmarks .pytest_cache .ruff_cache .hypothesis .test-artifacts
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
