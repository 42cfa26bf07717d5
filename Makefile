# Orderflow on one machine. `make help` lists the targets.
# It needs Python 3.11 or newer with pip, make and git; everything else is downloaded or built.

PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
# .venv keeps its Python, unless you set another one: make PYTHON=...
NAMED := $(if $(filter file,$(origin PYTHON)),,--this-python)

.DEFAULT_GOAL := help
.PHONY: help env present run stop status reset console bench torn fuzz chaos test check lint format unit contracts coverage docs reference manifests system postgresql brokers browser containers migrate migration locks vendor generate images cluster-up cluster-down deploy-local test-cluster

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

env: ## create or update the Python environment (.venv)
	@$(PYTHON) tools/bootstrap $(NAMED)

# Creates .venv if there is none that works, but does not update it: a run may be using it.
present:
	@$(PYTHON) tools/bootstrap present

run: env ## start everything, place two orders, and keep running until Ctrl-C (BROKER=redis, rabbitmq or kafka)
	@$(if $(BROKER),ORDERFLOW_BROKER=$(BROKER) )$(BIN)/orderflow-tools run $(ARGS)

stop: present ## stop what `make run` started, from another terminal
	@$(BIN)/orderflow-tools stop

status: present ## show what is running, where it listens and whether it is ready
	@$(BIN)/orderflow-tools status

reset: env ## remove the data of the local run, after asking (YES=1: without asking)
	@$(BIN)/orderflow-tools reset $(if $(YES),--yes)

console: env ## place orders interactively, as a client of the running services
	@$(BIN)/orderflow console $(ARGS)

bench: env ## measure what an order costs, on a separate platform
	@$(BIN)/orderflow-lab bench $(ARGS)

torn: env ## search for damaged workflow histories while orders is disturbed
	@$(BIN)/orderflow-tools toolchain
	@cd tests && ../$(BIN)/python -m torn $(ARGS)

fuzz: env ## send generated events to a separate platform, and find what became of each
	@$(BIN)/orderflow-tools toolchain
	@cd tests && ../$(BIN)/python -m fuzz $(ARGS)

chaos: env ## orders of all kinds under faults of all kinds, on a separate platform, and whether all agrees afterwards
	@$(BIN)/orderflow-tools toolchain
	@cd tests && ../$(BIN)/python -m chaos $(or $(ARGS),--seed 1 --orders 150 --faults 15)

test: lint coverage docs manifests system chaos postgresql brokers browser containers ## lint and all tests on one machine

check: lint ## the fast checks: lint, unit tests and contracts
	@$(BIN)/pytest tests/unit tests/contracts $(COMPUTING) $(ARGS)

lint: env ## check style, formatting, types and import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: env ## format the code and fix what can be fixed
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

# Two processes for tests that compute.
COMPUTING := -n 2 --dist worksteal
# Three for tests on a platform, which mostly wait for it. The tests of a file stay together: they share one.
WAITING := -n 3 --dist loadfile

unit: env ## unit tests, without Dapr
	@$(BIN)/pytest tests/unit $(COMPUTING) $(ARGS)

contracts: env ## tests of the messages between services
	@$(BIN)/pytest tests/contracts $(ARGS)

coverage: env ## unit tests and contracts, with coverage; fails if it is too low
	@$(BIN)/pytest tests/unit tests/contracts $(COMPUTING) --cov $(ARGS)

docs: env ## build the documents into build/site and test them
	@$(BIN)/pytest tests/documents $(ARGS)
	@echo "The site is build/site/index.html"

reference: env ## update docs/reference from the code
	@cd docs && ../$(BIN)/python -m reference_pages

manifests: env ## tests of the Kubernetes manifests
	@$(BIN)/orderflow-lab cluster kubectl # built here, so that no test times out
	@$(BIN)/pytest tests/deploy $(ARGS)

system: env ## tests on the real Dapr runtime
	@$(BIN)/orderflow-tools toolchain
	@$(BIN)/pytest tests/system $(WAITING) $(ARGS)

STORED := orders identity batches tasks approval_levels retention management_orders
postgresql: env ## the system tests about stored data, on PostgreSQL
	@$(BIN)/orderflow-tools toolchain
	@$(BIN)/pytest $(STORED:%=tests/system/test_%.py) --store=postgresql $(WAITING) $(ARGS)

# Redis has its turn among the system tests.
BROKERS := rabbitmq kafka
brokers: env ## the system tests about brokers, on those other than Redis
	@$(BIN)/orderflow-tools toolchain
	@set -e; for broker in $(BROKERS); do \
	  $(BIN)/pytest tests/system/test_brokers.py --broker=$$broker $(ARGS); done

browser: env ## tests of the pages, in a real browser on the real platform
	@$(BIN)/orderflow-tools toolchain
	@$(BIN)/orderflow-lab browser
	@$(BIN)/pytest tests/browser $(WAITING) $(ARGS)

containers: env ## tests of the images, in containers
	@$(BIN)/orderflow-lab images
	@$(BIN)/pytest tests/images $(ARGS)

images: env ## build the images of the services
	@$(BIN)/orderflow-lab images $(ARGS)

migrate: env ## migrate the databases, before `dapr run -f .`
	@$(BIN)/orderflow-tools migrate

migration: env ## draft a schema revision (SERVICE=orders NAME="add a delivery date")
	@$(BIN)/python -m orderflow_hosting.migrations.new $(SERVICE) "$(NAME)"

locks: ## resolve the dependencies again and rewrite the lock files
	@$(PYTHON) tools/bootstrap locks $(ARGS)

vendor: env ## copy the npm files that pages and tests use into the project
	@$(BIN)/orderflow-lab vendor

generate: env ## write the manifests and lists that follow from the declarations of services
	@$(BIN)/orderflow-lab generate

cluster-up: env ## start Kubernetes with Dapr on this machine, as root
	@$(BIN)/orderflow-lab cluster up $(ARGS)

cluster-down: present ## stop that cluster and remove everything in it
	@$(BIN)/orderflow-lab cluster down

deploy-local: env ## deploy the services to that cluster, or to the one that kubectl points to
	@$(BIN)/orderflow-lab cluster deploy $(if $(YES),--yes)

test-cluster: env ## tests on a real Kubernetes cluster on this machine, as root
	@$(BIN)/pytest tests/cluster -v --durations=0 --durations-min=2 $(ARGS)
