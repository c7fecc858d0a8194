# make demo and make test each work alone on a bare machine; the other targets set up what they need in the same way.
SHELL := /bin/bash
PYTHON ?= $(shell packaging/find-python.sh)
BIN := .venv/bin
STAMPS := .venv/.stamps
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo run test test-short lint bench screenshots samples clean
.DEFAULT_GOAL := demo

# --- set-up -----------------------------------------------------------------------------------------------------------
$(STAMPS)/system: packaging/system-libraries.sh
	@packaging/system-libraries.sh
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/venv: packaging/find-python.sh
	@test -n "$(PYTHON)" || { packaging/find-python.sh --explain; exit 2; }
	@test -x $(BIN)/python || "$(PYTHON)" -m venv .venv
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/app: pyproject.toml packaging/constraints.txt $(STAMPS)/venv
	@echo "Installing guardapp into .venv (torch is large: this takes some minutes the first time) …"
	@$(BIN)/python -m pip install --quiet -c packaging/constraints.txt -e .
	@touch $@

$(STAMPS)/test: $(STAMPS)/app
	@echo "Installing what the tests need …"
	@$(BIN)/python -m pip install --quiet -c packaging/constraints.txt -e '.[test]'
	@touch $@

$(STAMPS)/bench: $(STAMPS)/test
	@$(BIN)/python -m pip install --quiet -c packaging/constraints.txt -e '.[test,bench]'
	@touch $@

# --- what people ask for ----------------------------------------------------------------------------------------------
demo: $(STAMPS)/system $(STAMPS)/app
	@$(BIN)/guardapp demo --out build/demo --open

run: $(STAMPS)/system $(STAMPS)/app
	@$(BIN)/guardapp

test: $(STAMPS)/system $(STAMPS)/test
	@rm -f .coverage .coverage.*
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-report= $(ARGS)
	@$(BIN)/python -m coverage report --include 'guardapp/desktop/*' | tail -n 1 | sed 's/^TOTAL/Branch coverage of desktop:/'
	@$(BIN)/python -m coverage report --skip-covered --omit 'guardapp/desktop/*' --fail-under 85

test-short: $(STAMPS)/system $(STAMPS)/test
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow" $(ARGS)

lint: $(STAMPS)/test
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m mypy
	@$(BIN)/lint-imports

bench: $(STAMPS)/system $(STAMPS)/bench
	@$(BIN)/python -m tests.bench $(ARGS)

screenshots: $(STAMPS)/system $(STAMPS)/app
	@test -f build/demo/demo.json || $(BIN)/guardapp demo --out build/demo
	@$(BIN)/python -m guardapp.desktop.screenshots --home build/demo/home --out build/screenshots $(ARGS)
	@mkdir -p docs/pictures
	@cp build/screenshots/deidentify-sample-en-light-1440x900.png docs/pictures/deidentify.png
	@cp build/screenshots/training-en-dark-1440x900.png docs/pictures/training.png
	@cp build/screenshots/checkpoints-verify-en-light-1440x900.png docs/pictures/checkpoints.png
	@cp build/screenshots/robustness-en-dark-1440x900.png docs/pictures/robustness.png

samples: $(STAMPS)/app
	@$(BIN)/python packaging/make_samples.py

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.*
