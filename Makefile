# `make demo` and `make test` need nothing but Python 3.11 or newer with pip; they set up .venv the first time.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Tests start hundreds of processes: without compiled modules each would compile four hundred of them anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test check format docs bench bench-send lock clean

help: ## what there is to make
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

demo: $(VENV)/.runtime ## eight weeks of nurture in about a minute
	@$(BIN)/nurture demo

test: $(VENV)/.dev ## every test, on SQLite and PostgreSQL
	@$(BIN)/python -m pytest -n 4

check: $(VENV)/.dev ## format, lint, types, import contracts, tests, docs
	@$(BIN)/python -m tests.project.check

format: $(VENV)/.dev ## lay the code out as `make check` wants it
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

docs: $(VENV)/.dev ## write the generated parts of docs/ anew
	@$(BIN)/python -m tests.project.generated --write

bench: bench-send ## how fast mails leave and contacts come in, as ratios measured in one run
	@$(BIN)/python -m benchmarks.imports
	@$(BIN)/python -m benchmarks.checking
	@$(BIN)/python -m benchmarks.simulating
	@$(BIN)/python -m benchmarks.ticking

bench-send: $(VENV)/.dev ## how fast mails leave, against smtp-source: on a quiet machine, about a quarter of an hour
	@$(BIN)/python -m benchmarks.sending --full

lock: ## pin the dependencies anew (needs uv)
	@requirements/lock

clean: ## remove the environment and what tests left behind
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "nurture needs Python 3.11 or newer; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	    || { echo "Python has no venv module here. On Debian or Ubuntu: apt install python3-venv"; rm -rf $(VENV); exit 1; }

$(VENV)/.runtime: requirements/runtime.lock pyproject.toml | $(BIN)/python
	@printf 'Setting up (first time only) … ' ; start=$$(date +%s) ; \
	$(PIP) install --require-hashes -r requirements/runtime.lock && \
	$(PIP) install --no-deps --no-build-isolation -e . && \
	touch $@ && printf '%s s\n' $$(( $$(date +%s) - start ))

$(VENV)/.dev: requirements/dev.lock $(VENV)/.runtime
	@printf 'Setting up the tests (first time only) … ' ; start=$$(date +%s) ; \
	$(PIP) install --require-hashes -r requirements/dev.lock && \
	touch $@ && printf '%s s\n' $$(( $$(date +%s) - start ))
