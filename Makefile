# make demo  - set up, then the main job on the embedded shop
# make test  - set up, then the tests that need nothing but Python
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export DO_NOT_TRACK := 1

.PHONY: help setup demo test test-all tools check docs lock clean

help:
	@echo "make setup | demo | test | test-all | check | docs | lock | clean"

setup: $(VENV)/.ready

# Hashed lock first, then the project itself, editable; nothing to do when both are unchanged.
# The lock is whole, so pip resolves nothing: with hashes, older ones trip over an extra of a pinned package.
$(VENV)/.ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 13) else "Control Tower needs Python 3.11, 3.12 or 3.13; set PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup
	$(BIN)/tower demo

test: setup
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not (browser or postgres or large or slow)"
	@echo "left out: tests marked browser (Chromium), postgres (PostgreSQL), large (many orders, or one more of a kind) or slow"
	@echo "(longer stories), and three in four examples of every property; make test-all runs them all"

# Everything. What tests need beyond Python is found, or installed where apt-get can; what then lacks is skipped, with its reason.
test-all: setup tools
	$(BIN)/python -m pytest --hypothesis-profile=thorough $(PYTEST_ARGUMENTS)

# Each program that tests look for, and the Debian package that has it. RUNLEVEL: no server is started by its installation.
TOOLS := chromium:chromium initdb:postgresql node:nodejs npm:npm promtool:prometheus cc:build-essential

tools:
	@for each in $(TOOLS); do program=$${each%%:*}; package=$${each#*:}; \
	    command -v $$program >/dev/null || ls /usr/lib/postgresql/*/bin/$$program >/dev/null 2>&1 \
	    || { [ "$$(id -u)" = 0 ] && apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
	        apt-get install -y -qq --no-install-recommends $$package >/dev/null; } \
	    || echo "no $$program, and $$package can't be installed: what needs it will be skipped"; done

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The reference from the code, and the pages as a site in .site/.
docs: setup
	$(BIN)/python docs/site/reference.py
	$(BIN)/python docs/site/build.py

lock:
	uv pip compile pyproject.toml --extra dev --extra bench --universal --python-version 3.11 \
	    --generate-hashes --no-emit-index-url --quiet --output-file requirements.lock
	uv pip compile pyproject.toml --extra image --universal --python-version 3.11 --constraint requirements.lock \
	    --generate-hashes --no-emit-index-url --quiet --output-file deployments/requirements.lock

clean:
	rm -rf $(VENV) .tower .site
