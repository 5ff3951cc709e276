# What a user runs. Needs Python >= 3.11, git and make; everything else comes from requirements.lock.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.DEFAULT_GOAL := help
# The tests that Hypothesis finds cases for.
FUZZED = $(shell grep -l hypothesis -r tests --include='test_*.py')

# Tests that run side by side: most of them wait for a server, not for the processor.
WORKERS ?= 5

# Python keeps compiled files, so that the many processes of the suite need not compile again.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help venv demo services test suite quick fuzz lint types bench grafana boards-pictures locale lock clean

help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

venv: $(VENV)/.ready  ## make .venv with the command jieneng in it

$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ". Say which one to use: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: venv  ## a simulated centre, end to end; ARGS="--for 60" ends it by itself
	@$(BIN)/jieneng demo $(ARGS)

services:  ## build InfluxDB 2 for the tests, once a machine (Go and Cargo, 5 minutes)
	@deploy/services/influxd/build

test: venv lint  ## the whole suite, lint and types
	@$(MAKE) --no-print-directory -j2 types suite

suite: venv
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(ARGS)

quick: venv lint types  ## lint, types and all short tests that start no server: before each commit
	$(BIN)/python -m pytest -n auto -m 'not server and not long' --hypothesis-profile=quick $(ARGS)

fuzz: venv  ## look for new failing cases, at length
	$(BIN)/python -m pytest --hypothesis-profile=fuzz $(FUZZED) $(ARGS)

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: venv
	$(BIN)/mypy

bench: venv  ## measure; prints one JSON object a line and writes bench.jsonl; never fails a build
	@$(BIN)/python -m tests.bench $(ARGS)

grafana: venv  ## generate the boards and provisioning files anew
	$(BIN)/jieneng grafana build --example

boards-pictures: venv  ## photograph every board, drawn by Grafana's components (Node, npm, Chromium)
	$(BIN)/python -m tests.boards.pictures boards-pictures $(ARGS)

locale: venv  ## collect the sentences for people, and compile their Chinese texts
	$(BIN)/python -m jieneng.locale.collect

lock:  ## renew requirements.lock from pyproject.toml
	uv pip compile --quiet --no-emit-index-url --custom-compile-command "make lock" --universal --python-version 3.11 --generate-hashes --group dev pyproject.toml requirements-build.in -o requirements.lock

clean:  ## remove the environment and what tools left
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
