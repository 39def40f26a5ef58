# Every target sets up what it needs first and says what it installs; nothing is installed twice.
SHELL := /bin/bash
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin

.DEFAULT_GOAL := help
.PHONY: help demo test check bench image wheels pins clean

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## run the product on this machine; ARGS=--once shows its promises and ends
	@tools/setup.sh demo
	@tools/with_docker.sh .venv/bin/millwright demo $(ARGS)

test: ## run every check and every test
	@tools/setup.sh test
	@tools/with_docker.sh .venv/bin/python tools/checks.py all

check: ## run the quick part: no broker, no containers
	@tools/setup.sh venv
	@.venv/bin/python tools/checks.py quick

bench: ## run one benchmark: make bench ARGS=name
	@tools/setup.sh demo
	@tools/with_docker.sh .venv/bin/python benchmarks/$(or $(firstword $(ARGS)),$(error which benchmark? make bench ARGS=name, of: $(basename $(notdir $(wildcard benchmarks/[a-z]*.py))))).py $(wordlist 2,99,$(ARGS))

image: ## build the image that runs agent or controller; ARGS go to docker build
	@tools/setup.sh demo
	@tools/with_docker.sh docker build --tag millwright $(ARGS) .

wheels: ## gather in build/wheels what an install without a package index needs
	@tools/setup.sh venv
	@tools/wheels.sh

pins: ## write constraints.txt anew from the newest versions that pyproject.toml allows
	@tools/pins.sh

clean: ## remove what was made here: environment, caches, wheels
	rm -rf .venv build artifacts *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
