# voltx: `make run` trains the whole graph here, `make test` proves the code. Both set up first.
.DELETE_ON_ERROR:
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# One OpenMP thread a process and no spinning: stages run side by side on few cores.
export OMP_WAIT_POLICY ?= PASSIVE
# uv ignores pip's settings; hand it the wheels pip already knows of.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup run test lint format clean

help:  ## Show this help
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(STAMP)  ## Create .venv and install voltx with pinned dependencies (does nothing when up to date)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "voltx needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -V 2>&1). Set PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Setting up $(VENV), once; the packages take about a minute..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "Could not create $(VENV): on Debian/Ubuntu run 'apt-get install python3-venv'"; exit 1; }
	@$(BIN)/python -m pip install -q uv 2>/dev/null || true
	@if test -x $(BIN)/uv; then \
	  $(BIN)/uv pip install -q --python $(BIN)/python --compile-bytecode -c constraints.txt -e '.[dev]'; \
	else \
	  $(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'; \
	fi
	@echo "$(VENV) is ready."
	@touch $@

run: $(STAMP)  ## Train the whole graph on the embedded data and write the report
	@$(BIN)/voltx run --preset laptop --watch

test: $(STAMP)  ## Run every test
	@$(BIN)/python -m pytest -m 'not integration' -n 2 --dist loadfile
	@$(BIN)/python -m pytest -m integration

lint: $(STAMP)  ## Format check, lint, types, import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(STAMP)  ## Rewrite the code in the project's format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

clean:  ## Remove the environment and caches (never the store)
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache
