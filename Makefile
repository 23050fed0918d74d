# The commands of the project. Each sets up what it needs; `make` alone lists them.
SHELL := /bin/sh
BIN := .venv/bin
WORKDIR ?= work/demo
SEEDS ?= 3
KFP := requirements/setup-beside.sh kubeflow "kfp (55 MB)" kfp kfp-kubernetes kfp-server-api
S3 := requirements/setup-beside.sh storage "a server that speaks S3 (180 MB)"

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

demo: setup ## run the pipeline on the starter corpus, into WORKDIR=work/demo
	@$(BIN)/tfx-ner run --workdir $(WORKDIR)

# The fast ones run by themselves: some make sure that nothing imports TensorFlow, which the others do.
test: setup ## run every test: the fast ones, then those that run whole pipelines
	@requirements/setup-nervaluate.sh
	@$(KFP) || echo "tfx-ner: cannot fetch kfp; the tests that compile for Kubeflow will skip" >&2
	@$(S3) || echo "tfx-ner: cannot fetch a server that speaks S3; the tests of storage elsewhere will skip" >&2
	@requirements/setup-flink.sh --or-skip
	@$(BIN)/python -m pytest tests/unit
	@$(BIN)/python -m pytest $(filter-out tests/unit/ tests/current/,$(wildcard tests/*/))

test-fast: setup ## run the tests that need no TensorFlow
	@requirements/setup-nervaluate.sh
	@$(BIN)/python -m pytest tests/unit

test-current: ## run every test on the newer stack, in a Debian 13 root of its own
	@tests/current/run.sh

# Before anything is installed: without a corpus there is nothing to measure.
benchmark: ## train and measure tfx-ner, CRFsuite and spaCy on CORPUS=DIR [SEEDS=3 JSON=FILE VECTORS=FILE]
	@[ -n "$(CORPUS)" ] || { echo "benchmark: expected a corpus, as in: make benchmark CORPUS=path/to/corpus" >&2; exit 2; }
	@requirements/setup.sh
	@requirements/setup-beside.sh benchmark "CRFsuite and spaCy (300 MB)"
	@$(BIN)/python benchmarks/compare.py "$(CORPUS)" --seeds "$(SEEDS)" \
		$(if $(JSON),--json "$(JSON)") $(if $(VECTORS),--vectors "$(VECTORS)") $(OPTIONS)

airflow: setup ## make the environment in which the tests read the DAG with Airflow
	@requirements/setup-beside.sh airflow "Airflow (200 MB)"

kubeflow: setup ## make the environment by which `tfx-ner compile` writes YAML for Kubeflow Pipelines
	@$(KFP)

storage: setup ## make the environment of the S3 server that the tests of storage elsewhere take
	@$(S3)

flink: setup ## fetch the Flink that the tests run Beam's steps on, into .flink (150 MB)
	@requirements/setup-flink.sh

lint: setup ## look the code over with ruff
	@$(BIN)/ruff check .

setup: ## make .venv from this machine's lock file; does nothing if that is done
	@requirements/setup.sh

lock: setup ## write the lock files anew, with the newest versions that work together
	@requirements/lock.sh

audit: setup ## look up known vulnerabilities in the lock files
	@requirements/audit.sh

clean: ## remove .venv and what the commands made
	@rm -rf .venv .venv-benchmark .venv-airflow .venv-storage .venv-kubeflow .flink build dist *.egg-info .pytest_cache .ruff_cache .hypothesis

.PHONY: help demo test test-fast test-current benchmark airflow storage kubeflow flink lint setup lock audit clean
