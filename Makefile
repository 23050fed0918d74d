# The commands of the project. Each sets up what it needs; `make` alone lists them.
SHELL := /bin/sh
BIN := .venv/bin
WORKDIR ?= work/demo

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

demo: setup ## run the pipeline on the starter corpus, into WORKDIR=work/demo
	@$(BIN)/tfx-ner run --workdir $(WORKDIR)

# The fast ones run by themselves: some make sure that nothing imports TensorFlow, which the others do.
test: setup ## run every test: the fast ones, then those that run whole pipelines
	@$(BIN)/python -m pytest tests/unit
	@$(BIN)/python -m pytest $(filter-out tests/unit/ tests/current/,$(wildcard tests/*/))

test-fast: setup ## run the tests that need no TensorFlow
	@$(BIN)/python -m pytest tests/unit

test-current: ## run every test on the newer stack, in a Debian 13 root of its own
	@tests/current/run.sh

lint: setup ## look the code over with ruff
	@$(BIN)/ruff check .

setup: ## make .venv from this machine's lock file; does nothing if that is done
	@requirements/setup.sh

lock: setup ## write the lock files anew, with the newest versions that work together
	@requirements/lock.sh

audit: setup ## look up known vulnerabilities in both lock files
	@requirements/audit.sh

clean: ## remove .venv and what the commands made
	@rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .hypothesis

.PHONY: help demo test test-fast test-current lint setup lock audit clean
