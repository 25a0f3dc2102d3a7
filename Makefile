# gridmap: `make run` sets everything up and serves the demo district; `make test` sets up and tests.
# Each target does its own set-up, and does nothing that is already done.

SHELL := /bin/sh
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
PORT ?= 8501

.PHONY: help setup run test test-setup bench bundle soak lock screenshot lint clean

help: ## say what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: $(STAMPS)/project ## environment in .venv, packages at their pinned versions, browser files
	@$(BIN)/python -m gridmap.setup.vendor

run: setup ## the demo district on http://127.0.0.1:8501 (PORT=… for another port)
	@set -a; if [ -f .env ]; then . ./.env; fi; set +a; \
	$(BIN)/python -m gridmap.setup.first_run && exec $(BIN)/gridmap serve --port $(PORT)

# Test processes, servers and jobs load the program again and again: it is compiled once.
test soak: export PYTHONDONTWRITEBYTECODE =

test: test-setup ## all tests, with Chromium and a throwaway PostGIS (ARGS=… goes to pytest)
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

test-setup: setup $(STAMPS)/test
	@$(BIN)/python -m gridmap.setup.system

bench: test-setup ## measure the budgets on this machine
	@$(BIN)/gridmap bench $(ARGS)

soak: test-setup ## the long runs: hours of edits, restarts, many browsers
	$(BIN)/python -m pytest -m soak $(ARGS)

bundle: setup ## one archive in dist/ that installs where there is no network
	@$(BIN)/python -m gridmap.setup.bundle

lock: $(STAMPS)/project ## resolve the pinned versions anew after a change of pyproject.toml or package.json
	@$(PIP) install -qq uv && $(BIN)/python -m gridmap.setup.lock

screenshot: test-setup ## draw the README's picture of the map anew
	@$(BIN)/python -m tests.browser.screenshot

lint: $(STAMPS)/project ## style, by ruff
	@$(PIP) install -qq ruff && $(BIN)/python -m ruff check .

clean: ## remove what set-up, tests and builds made; never data
	rm -rf $(VENV) node_modules gridmap/assets/vendor dist build *.egg-info .pytest_cache .hypothesis .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@sh gridmap/setup/make_venv.sh $(VENV)

$(STAMPS)/packages: requirements.lock | $(BIN)/python
	@echo "installing pinned packages (a few minutes the first time)"
	@$(PIP) install -qq --requirement requirements.lock
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/project: pyproject.toml $(STAMPS)/packages
	@$(PIP) install -qq --no-deps --editable .
	@touch $@

$(STAMPS)/test: requirements-test.lock $(STAMPS)/project
	@$(PIP) install -qq --requirement requirements-test.lock
	@touch $@
