# make up     install, start the stack, land real flights, retrain on three days
# make test   every test, on the real stack
# make help   the rest

SHELL := /bin/bash
UV_VERSION := 0.13.9
UV := $(or $(shell command -v uv),var/tools/bin/uv)
BIN := .venv/bin
STAMP := .venv/.synced
# Compiled at install: importing TensorFlow and TFDV uncompiled takes half a minute.
export UV_COMPILE_BYTECODE := 1
export UV_HTTP_TIMEOUT ?= 300
unexport PYTHONDONTWRITEBYTECODE PYTHONPATH

.DEFAULT_GOAL := help
.PHONY: help up down status logs test lint bench bench-gates bench-judge bench-mutants

help: ## show this
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

up: $(STAMP) ## install, start the stack, land real flights, retrain on three days
	@$(BIN)/sluice up
	@$(BIN)/sluice demo

down: | $(BIN)/sluice ## stop the stack; nothing is lost
	@$(BIN)/sluice down

status: | $(BIN)/sluice ## what runs, what serves, how the latest runs ended
	@$(BIN)/sluice status

logs: | $(BIN)/sluice ## the last lines of every log
	@$(BIN)/sluice logs

test: $(STAMP) ## every test, on the real stack
	@$(BIN)/pytest

lint: $(STAMP) ## style, types, and the direction of imports
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(STAMP) ## measure: CPU seconds, memory and waiting, side by side
	@$(BIN)/python -m benchmarks

bench-gates: $(STAMP) ## how often the data gate is right, on dated tables and faulty copies
	@$(UV) sync --frozen --quiet --group bench
	@$(BIN)/python -m benchmarks.gates

bench-judge: $(STAMP) ## how often the model gate is right, where noise or a regression is known
	@$(BIN)/python -m benchmarks.judge

bench-mutants: $(STAMP) ## broken candidates at the gates, and honest ones: which is refused by which
	@$(BIN)/python -m benchmarks.mutants

# What runs is asked and stopped with what is installed: a newer uv.lock waits for `make up`.
$(BIN)/sluice:
	@echo "nothing is installed yet: make up" >&2; exit 1

$(STAMP): uv.lock pyproject.toml | $(filter var/tools/bin/uv,$(UV))
	@echo "installing what uv.lock names: some minutes and 4 GB the first time"
	@$(UV) sync --frozen --quiet
	@touch $@

var/tools/bin/uv:
	@mkdir -p var
	@python3 -m venv var/tools
	@var/tools/bin/pip install --quiet uv==$(UV_VERSION)
