# Set-up and the daily commands. `make demo` and `make test` need Python 3.11 with venv, git and make, and nothing else.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PEERS := build/peers
SHARED ?= ../shared

.PHONY: kernels demo test debian lint proto lock bench bench-peers acceptance venv clean

demo: kernels         ## the main job on a demo tenant: both services, one run, its reports
	$(BIN)/powerfill demo

test: kernels debian  ## the whole suite, fast tests first
	$(BIN)/pytest -n 2 -m "not slow"
	$(BIN)/pytest -m slow

debian:               ## what tests need of Debian's packages; installed where root asks, otherwise told
	@command -v soffice >/dev/null && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends libreoffice-calc-nogui >/dev/null; \
	else \
		echo "left out: the test that opens an XLSX file in LibreOffice (Debian: libreoffice-calc-nogui, installed by root)"; \
	fi

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

bench: venv bench-peers ## every script of benchmarks/, hours of it; results under docs/benchmarks
	$(BIN)/python -m benchmarks.demo_run
	$(BIN)/python -m benchmarks.allocation --shared $(SHARED)
	$(BIN)/python -m benchmarks.gap --shared $(SHARED)
	$(BIN)/python -m benchmarks.run --shared $(SHARED)
	$(BIN)/python -m benchmarks.serving --shared $(SHARED)
	$(BIN)/python -m benchmarks.answers --shared $(SHARED)
	$(PEERS)/bin/python -m benchmarks.plots

bench-peers: $(PEERS)/.installed ## the environment of the other solvers and of the plot

acceptance: venv      ## runs on generated and real tenants, judged by an independent checker in $(SHARED)
	$(BIN)/python tests/acceptance/check_exports.py --shared $(SHARED)

kernels: venv         ## the engine's compiled functions, once for all processes
	$(BIN)/python -c 'from services.run_service.engine.warmup import warm_up; warm_up()'

venv: $(INSTALLED)    ## the virtual environment, from the hash-pinned lock file

$(INSTALLED): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(PEERS)/.installed: benchmarks/peers/requirements.lock
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r benchmarks/peers/requirements.lock
	touch $@

lock:                 ## resolve the requirements into the two lock files (needs a package registry)
	$(PYTHON) -m venv build/lock
	build/lock/bin/pip install --quiet uv
	build/lock/bin/uv pip compile --quiet --python-version 3.11 --generate-hashes --extra dev pyproject.toml -o requirements.lock
	cd benchmarks/peers && ../../build/lock/bin/uv pip compile --quiet --python-version 3.11 --generate-hashes requirements.in \
		-o requirements.lock

clean:
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis
