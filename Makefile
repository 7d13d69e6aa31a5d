# The tasks of the project: the same targets by hand, in hooks and in CI.
#   ARGS          passed on:  make test ARGS="tests/serving -k history"
#   ONTIME_ENV    which file of conf/ is used besides base.yaml (dev)
#   ONTIME_PYTHON the Python 3.11 to build the environment with, if not found by itself
.DEFAULT_GOAL := help
SHELL := /bin/bash
MAKEFLAGS += --no-print-directory
ARGS ?=
ONTIME_ENV ?= dev
export ONTIME_ENV ONTIME_PYTHON
# The libraries send no telemetry.
export GX_ANALYTICS_ENABLED := false
export MLFLOW_DISABLE_TELEMETRY := true
# A mirror configured for pip serves uv as well; every file is checked against its hash anyway.
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif
PYTHON := .venv/bin/python
ONTIME := .venv/bin/ontime

.PHONY: help setup run serve api-key audit ledger prove-no-leak score-batch setup-bench bench-features bench-incremental setup-dev test test-full check format lock clean quarantine freshness retrain test-connect

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' Makefile

setup: ## Build the environment (.venv) from the hash-checked lock
	@bash requirements/install.sh run

run: setup ## Run the whole pipeline: raw flights to a released model
	@home="$${ONTIME_HOME:-$$PWD/.ontime}"; mkdir -p "$$home"; \
	export PATH="$$PWD/.venv/bin:$$PATH" MLFLOW_LOGGING_LEVEL="$${MLFLOW_LOGGING_LEVEL:-WARNING}" \
	  MLFLOW_TRACKING_URI="$${MLFLOW_TRACKING_URI:-sqlite:///$$home/mlflow.db}"; \
	mlflow run . --env-manager=local $(ARGS)

.PHONY: train study bench-training
train: setup ## Train the model and evaluate it, without a release
	@$(ONTIME) run --until evaluate $(ARGS)

study: setup ## Study the model: without tail numbers, 30 and 360 min ahead, a sweep (15 min)
	@$(ONTIME) study $(ARGS)

serve: setup ## Serve the released model on 127.0.0.1:8000
	@$(ONTIME) serve $(ARGS)

quarantine: setup ## Show the quarantined rows and reasons (ARGS="--source flights --rule ... --day ...")
	@$(ONTIME) look quarantine $(ARGS)

freshness: setup ## Report age and row count of each table, as text and as a page
	@$(ONTIME) look freshness $(ARGS)

ledger: setup ## Show the decision ledger (ARGS="at 2026-03-01T10:00Z", show, verify, export)
	@$(ONTIME) release ledger $(or $(ARGS),show)

api-key: setup ## Create an API key (NAME=its owner)
	@$(ONTIME) api-key $(if $(NAME),$(NAME),somebody)

audit: setup-dev ## Scan the locked dependencies for known vulnerabilities
	@bash requirements/audit.sh $(ARGS)

prove-no-leak: setup ## Prove that no feature uses data from its prediction time or later
	@$(ONTIME) prove no-leak $(ARGS)

.PHONY: skew-proof
skew-proof: setup ## Prove that the service's features and scores are the table's, for all flights
	@$(ONTIME) prove skew $(ARGS)

.PHONY: hostile
hostile: setup ## Prove that a running service holds against bad input, strangers and outages
	@$(ONTIME) prove hostile $(ARGS)

score-batch: setup ## Score the whole year with the released model, and compare with the service
	@$(ONTIME) score-batch --check $(ARGS)

retrain: setup ## Retrain the champion from its lineage, and compare it bit for bit
	@$(ONTIME) prove retrain $(ARGS)

.PHONY: lambda-bundle lambda-budget
lambda-bundle: setup ## Build the zip of the function in the cloud (arm64 and x86-64), and print its size
	@$(ONTIME) deploy lambda-bundle $(ARGS)

lambda-budget: setup-dev ## Measure size, cold start and warm time of that bundle; fails over budget
	@$(PYTHON) -m benchmarks.lambda_budget $(ARGS)

.PHONY: notebooks lab
notebooks: setup-dev ## Execute the notebooks on the real data, and render them to docs/notebooks
	@test -e "$${ONTIME_HOME:-.ontime}/figures/run.json" || $(MAKE) run
	@$(ONTIME) notebooks $(ARGS)

lab: setup-dev ## Open JupyterLab on the notebooks, with a session and every table by name
	@ONTIME_HOME="$${ONTIME_HOME:-$$PWD/.ontime}" PYTHONPATH="$$PWD$${PYTHONPATH:+:$$PYTHONPATH}" \
	  .venv/bin/jupyter lab notebooks --ip 127.0.0.1 $(ARGS)

.PHONY: bench-run
bench-run: setup setup-bench ## Measure what a person waits for, beside a plain Spark script (10 min)
	@.venv-bench/bin/python -m benchmarks.run_bench $(ARGS)

setup-bench: ## Build the environment of the benchmarks (.venv-bench)
	@bash requirements/install.sh bench

bench-features: setup-bench ## Measure Ontime and its peers on the same features (20 min)
	@.venv-bench/bin/python -m benchmarks.features_bench $(ARGS)

bench-incremental: setup-bench ## Measure a new day after 1 and after 10 years of history
	@.venv-bench/bin/python -m benchmarks.incremental_bench $(ARGS)

bench-training: setup setup-bench ## Measure training beside LightGBM and XGBoost, and the sweep on 1 and 2 cores (10 min)
	@.venv-bench/bin/python -m benchmarks.training_bench $(ARGS)

.PHONY: bench-serving
bench-serving: setup-bench ## Measure the service beside its peers over HTTP (15 min; needs wrk)
	@bash requirements/install.sh bentoml
	@bash requirements/install.sh mlserver
	@test -e "$${ONTIME_HOME:-.ontime}/figures/run.json" || $(MAKE) run
	@.venv-bench/bin/python -m benchmarks.serving_bench $(ARGS)

setup-dev: ## Build the environment with the development tools added
	@bash requirements/install.sh dev

# A whole suite is run by tests/whole_suite.py, in two processes where that helps; a part picked with ARGS
# by one, and starts immediately. `test` has a coverage gate. Assertions that pytest has rewritten are cached even where
# PYTHONDONTWRITEBYTECODE is set.
test test-full test-connect: export PYTHONDONTWRITEBYTECODE :=
test: setup-dev ## Run the tests, all but the slow ones
	@$(PYTHON) $(if $(ARGS),-m pytest -m "not slow" $(ARGS),tests/whole_suite.py test)

test-full: setup-dev ## Run the tests that `make test` leaves out
	@$(PYTHON) $(if $(ARGS),-m pytest -m slow $(ARGS),tests/whole_suite.py test-full)

test-connect: setup-dev ## Run the Spark tests against Spark Connect (what Databricks serverless runs)
	@$(PYTHON) $(if $(ARGS),-m pytest -m "spark and not slow" --spark-remote='local[2]' $(ARGS),tests/whole_suite.py test-connect)

check: check-format check-lint check-types check-imports check-lock check-secrets ## Format, lint, types, import rules, locks, secrets
	@echo "check: all well"

.PHONY: house
house: setup-dev ## Measure the structure of the packages; fails on an import circle
	@$(PYTHON) -m benchmarks.house

format: setup-dev ## Format the code and fix what the linter can
	@$(PYTHON) -m ruff check --fix-only --quiet .
	@$(PYTHON) -m ruff format .

lock: setup-dev ## Write the locks and conda.yaml again (UPGRADE=1: newest versions)
	@$(PYTHON) requirements/lock.py write $(if $(UPGRADE),--upgrade)

clean: ## Remove .ontime: tables, models, prediction history (asks first; YES=1 does not)
	@if [ ! -e .ontime ]; then echo "clean: there is no .ontime"; exit 0; fi; \
	echo "clean: .ontime holds all tables, runs, model versions and prediction history:" \
	  "$$(du -sh .ontime | cut -f1). This cannot be undone."; \
	if [ -z "$(YES)" ]; then \
	  read -r -p "Remove it? [y/N] " answer || true; \
	  if [ "$$answer" != y ]; then echo "clean: nothing removed"; exit 1; fi; \
	fi; \
	rm -rf .ontime && echo "clean: removed"

# The parts of check, one for each pre-commit hook.
.PHONY: check-format check-lint check-types check-imports check-lock check-secrets
check-format: setup-dev
	@$(PYTHON) -m ruff format --check .
check-lint: setup-dev
	@$(PYTHON) -m ruff check .
check-types: setup-dev
	@$(PYTHON) -m mypy
check-imports: setup-dev
	@.venv/bin/lint-imports --no-logo
	@$(PYTHON) -m benchmarks.house
check-lock: setup-dev
	@$(PYTHON) requirements/lock.py check
check-secrets: setup-dev
	@git ls-files -z --cached --others --exclude-standard \
	  | xargs -0 .venv/bin/detect-secrets-hook --no-verify --baseline .secrets.baseline
	@echo "secrets: none found"
