# Everything lives under this folder: .venv/ (the programs) and .nurture/ (the stack's data and the download cache).

VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
# A Python from 3.11 to 3.13; choose another one with `make setup PYTHON=/path/to/python3.12`.
PYTHON ?=
export UV_CACHE_DIR ?= $(CURDIR)/.nurture/cache/uv
# The machine's default index of pip serves uv too (uv does not read pip's configuration).
PIP_INDEX = $$($(BIN)/python -m pip config get global.index-url 2>/dev/null || true)
# Bytecode written once at install halves every start of Airflow.
unexport PYTHONDONTWRITEBYTECODE
unexport PYTHONPATH
unexport VIRTUAL_ENV

.DEFAULT_GOAL := help
.PHONY: help setup demo up down status test lint format lock clean

help:  ## List what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

demo: setup  ## Install, start the stack and play both sample products end to end
	@$(BIN)/nurture demo

test: setup-test  ## Run the whole suite: lint, types, import contracts, SQL, units, one stack end to end
	@$(BIN)/python -m pytest -n 2 --no-loadscope-reorder

up: setup  ## Start PostgreSQL, Airflow, the receiver and the sandbox
	@$(BIN)/nurture up

down:  ## Stop them
	@if [ -x $(BIN)/nurture ]; then $(BIN)/nurture down; fi

status:  ## Say how they are
	@if [ -x $(BIN)/nurture ]; then $(BIN)/nurture status; else echo "Nothing is installed yet: make setup" >&2; exit 1; fi

lint: setup-test  ## Run only the linters, the type checker, the import contracts and sqlfluff
	@$(BIN)/python -m pytest tests/test_lint.py

format: setup-test  ## Format the Python and mend what the linter can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

setup: requirements.lock $(BIN)/uv  ## Install what is locked into .venv/
	@$(call install,requirements.lock)

setup-test: requirements-test.lock $(BIN)/uv
	@$(call install,requirements-test.lock,requirements.lock)

lock: $(BIN)/uv  ## Resolve the dependencies anew within pyproject.toml
	@$(call resolve,requirements-bench.lock,--group test --group bench)
	@$(call resolve,requirements-test.lock,--group test -c requirements-bench.lock)
	@$(call resolve,requirements.lock,-c requirements-test.lock)

clean: down  ## Remove the installed programs, the stack's data and every cache
	@rm -rf .venv .nurture build dist .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@set -e; found=; \
	for candidate in $(or $(PYTHON),python3 python3.13 python3.12 python3.11); do \
		if $$candidate -c 'import sys, ctypes, sqlite3, ssl, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
			2>/dev/null; then found=$$candidate; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "No Python from 3.11 to 3.13 was found: install one, or name it: make setup PYTHON=/path/to/python3.12" >&2; \
		exit 1; \
	fi; \
	if ! $$found -m venv $(VENV) >/dev/null 2>&1; then \
		rm -rf $(VENV); \
		$$found -m venv --without-pip $(VENV) && $$found -m pip --version >/dev/null 2>&1 || { rm -rf $(VENV); \
		echo "$$found makes no complete venv (on Debian and Ubuntu: apt install python3-venv), or name another:" \
			"make setup PYTHON=/path/to/python3.12" >&2; exit 1; }; \
		echo $$found > $(VENV)/python-with-pip; \
	fi

$(BIN)/uv: $(BIN)/python
	@set -e; pip="$(BIN)/python -m pip"; \
	$$pip --version >/dev/null 2>&1 || \
		pip="$$(cat $(VENV)/python-with-pip) -m pip --python $(BIN)/python"; \
	$$pip install --quiet --no-cache-dir --disable-pip-version-check uv==$(UV_VERSION)

# Copies of the locks that the venv satisfies are its stamps: a larger set that is there already is left alone.
define install
	export UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$(PIP_INDEX)}"; \
	[ -n "$$UV_DEFAULT_INDEX" ] || unset UV_DEFAULT_INDEX; \
	set -e; \
	if ! cmp -s $(1) $(VENV)/$(1); then \
		echo "Installing $(1) into $(VENV)/ ..."; \
		rm -f $(VENV)/requirements*.lock $(VENV)/pyproject.toml; \
		$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes --compile-bytecode $(1); \
		cp $(1) $(2) $(VENV)/; \
	fi; \
	if ! cmp -s pyproject.toml $(VENV)/pyproject.toml || ! [ -x $(BIN)/nurture ]; then \
		$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .; \
		cp pyproject.toml $(VENV)/; \
	fi
endef

define resolve
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
		--no-emit-index-url pyproject.toml $(2) -o $(1)
endef
