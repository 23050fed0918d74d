# The commands of the project. Each sets up what it needs; `make` alone lists them.
SHELL := /bin/sh
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
# Two at a time, since each loads TensorFlow.
SIDE_BY_SIDE := $(PYTEST) -n 2 --dist loadfile
EXTRA := requirements/setup-extra.sh
WORKDIR ?= work/demo
SEEDS ?= 3
TARGETS ?= test

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

demo: setup ## run the pipeline on the starter corpus, into WORKDIR=work/demo
	@$(BIN)/tfx-ner run --workdir $(WORKDIR)

test: lint test-unit ## the fast lane: lint, types, unit tests, the model, serving, one run, kills at three nodes
	@$(SIDE_BY_SIDE) -m "not slow" tests/model tests/serving
	@$(PYTEST) -m "not slow" tests/e2e tests/flink

test-rest: setup ## the tests that `make test` leaves out
	@$(EXTRA) --or-skip kubeflow storage flink
	@$(PYTEST) -m slow

test-all: test test-rest ## every test

test-unit: setup ## the tests that need no TensorFlow, on all cores
	@$(EXTRA) --or-skip nervaluate kubeflow storage
	@$(PYTEST) -n auto --dist loadfile -m "not slow" tests/unit

test-model: setup ## the tests of the model
	@$(SIDE_BY_SIDE) -m "not slow" tests/model

test-current: ## make TARGETS=test on the newer stack, in a Debian 13 root
	@tests/current/run.sh $(TARGETS)

benchmark: ## train and measure tfx-ner, CRFsuite and spaCy on CORPUS=DIR [SEEDS=3 JSON=FILE VECTORS=FILE]
	@[ -n "$(CORPUS)" ] || { echo "benchmark: expected a corpus, as in: make benchmark CORPUS=path/to/corpus" >&2; exit 2; }
	@requirements/setup.sh
	@$(EXTRA) benchmark
	@$(BIN)/python benchmarks/compare.py "$(CORPUS)" --seeds "$(SEEDS)" \
		$(if $(JSON),--json "$(JSON)") $(if $(VECTORS),--vectors "$(VECTORS)") $(OPTIONS)

airflow: setup ## install Airflow, for the tests that load the DAG, into .venv-airflow
	@$(EXTRA) airflow

kubeflow: setup ## install kfp, by which `tfx-ner compile` writes YAML, into .venv-kubeflow
	@$(EXTRA) kubeflow

storage: setup ## install an S3 server, for the tests of storage, into .venv-storage
	@$(EXTRA) storage

flink: setup ## fetch Flink, for the tests that run Beam's steps on it, into .flink (150 MB)
	@$(EXTRA) flink

lint: setup ## ruff check, ruff format --check, and types by pyright
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright

setup: ## make .venv from this machine's lock file; does nothing if that is done
	@requirements/setup.sh

lock: setup ## write the lock files from requirements/*.in [UPGRADE=yes: with the newest versions]
	@requirements/lock.sh $(if $(UPGRADE),--upgrade)

audit: setup ## look up known vulnerabilities in the lock files
	@requirements/audit.sh

clean: ## remove .venv and what the commands made
	@rm -rf .venv .venv-* .flink build dist *.egg-info .pytest_cache .ruff_cache .hypothesis

.PHONY: help demo test test-rest test-all test-unit test-model test-current benchmark airflow kubeflow storage flink lint setup \
	lock audit clean
