# Set-up and the daily commands. `make demo` and `make test` need Python 3.11 with venv, git and make, and nothing else.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
SHARED ?= ../shared

.PHONY: demo test test-slow lint proto lock bench acceptance venv clean

demo: venv            ## the main job on a demo tenant: both services, one run, its reports
	$(BIN)/powerfill demo

test: venv            ## the whole suite, fast tests first
	$(BIN)/pytest -n 2 -m "not slow"
	$(BIN)/pytest -m slow

lint: venv            ## style, types, layers, contract, generated code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy cli services shared tests benchmarks
	$(BIN)/lint-imports
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code
	$(BIN)/buf breaking --against ".git#ref=$$(for base in origin/main main HEAD~1 HEAD; do \
		git rev-parse -q --verify $$base; done | grep -vm 1 "$$(git rev-parse HEAD)" || git rev-parse HEAD)"
	$(BIN)/python -m shared.rpc.codegen --check

proto: venv           ## generate shared/gen from protos/
	$(BIN)/buf format --write
	$(BIN)/python -m shared.rpc.codegen

bench: venv           ## every script of benchmarks/; results under docs/benchmarks
	$(BIN)/python -m benchmarks.demo_run

acceptance: venv      ## runs on generated and real tenants, judged by an independent checker in $(SHARED)
	$(BIN)/python tests/acceptance/check_exports.py --shared $(SHARED)

venv: $(INSTALLED)    ## the virtual environment, from the hash-pinned lock file

$(INSTALLED): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

lock:                 ## resolve pyproject.toml into requirements.lock (needs a package registry)
	$(PYTHON) -m venv build/lock
	build/lock/bin/pip install --quiet uv
	build/lock/bin/uv pip compile --quiet --python-version 3.11 --generate-hashes --extra dev pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis
