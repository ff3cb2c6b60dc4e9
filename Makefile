# Each target sets up what it needs: Python 3.11, 3.12 or 3.13 and a package registry for pip are enough.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash

# The newest Python that is supported and here; PYTHON=… chooses another.
PYTHON ?= $(firstword $(foreach name,python3.13 python3.12 python3.11 python3 python,$(shell \
	command -v $(name) >/dev/null 2>&1 \
	&& $(name) -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& echo $(name))))
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# The files name every package, so nothing is resolved: older pips fail at hashes and extras together, and it is faster.
INSTALL := $(PIP) install --require-hashes --no-deps --requirement
WORKERS ?= 2
# Tests write a database each. In memory, where there is room for all of them, a commit waits for no disk.
SCRATCH ?= $(shell test -w /dev/shm && df -Pk /dev/shm | awk 'NR == 2 && $$4 > 4000000 {print "TMPDIR=/dev/shm"}')

.PHONY: help run test lint format web bench openapi requirements clean

help: ## What can be made.
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

run: web ## The server with a demo workspace that a scan has improved.
	@$(BIN)/spectral demo --serve

test: lint web ## Lints, types, import rules and every test on SQLite, PostgreSQL and in a browser.
	$(SCRATCH) $(BIN)/pytest -n $(WORKERS) --dist worksteal

lint: .venv/.develops ## ruff, mypy --strict and the import rules; the page's types, lint and tests.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python hatch_build.py run types lint test

format: .venv/.develops ## Rewrites the code in the house's format.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

web: .venv/.runs ## Builds the page, unless it is of what `web/` holds now.
	@$(BIN)/python hatch_build.py

bench: .venv/.develops web ## Starts servers of its own, measures them, prints one table for each database.
	@$(BIN)/python -m benchmarks

openapi: .venv/.runs ## Prints the OpenAPI document.
	@$(BIN)/spectral openapi

requirements: .venv/.develops ## Compiles the pinned requirements; UPGRADE=--upgrade takes newer releases.
	$(COMPILE) --output-file requirements/runtime.txt pyproject.toml requirements/build.in
	$(COMPILE) --output-file requirements/dev.txt requirements/runtime.txt requirements/dev.in

# No index, no link and no option of the machine that compiles may end up in the files.
COMPILE := CUSTOM_COMPILE_COMMAND="make requirements" $(BIN)/python -m piptools compile --quiet $(UPGRADE) \
	--generate-hashes --allow-unsafe --no-strip-extras --resolver=backtracking --no-build-isolation \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options

clean: ## Removes the environment and what tools left behind; never data.
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist \
		web/node_modules src/spectral/platform/web/page

.venv/.created:
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 (with venv) is needed; none was found." >&2; exit 1; }
	@echo "Creating .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/.runs: .venv/.created requirements/runtime.txt pyproject.toml
	@echo "Installing what Spectral needs to run, and building its page"
	@$(INSTALL) requirements/runtime.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@$(PIP) check
	@touch $@

.venv/.develops: .venv/.runs requirements/dev.txt
	@echo "Installing what tests and lints need"
	@$(INSTALL) requirements/dev.txt
	@$(PIP) check
	@touch $@
