# The vocabulary of the project: the same words by hand, in hooks and in CI.
.DEFAULT_GOAL := help
SHELL := /bin/bash
export ONTIME_PYTHON

.PHONY: help setup setup-dev

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

setup: ## Build the environment (.venv) that running needs
	@bash requirements/install.sh run

setup-dev: ## Build the environment with the development tools added
	@bash requirements/install.sh dev
