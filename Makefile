# `make run` needs Python 3.11 or newer, make and a network; everything else is fetched into .local/.
PYTHON ?= python3
VENV := .local/venv/bin
SUB ?= dev
SCOPE ?= execute:all read:functions
TTL ?= 86400
API_SERVER_TESTS := tests/integration/tools/api_server
FAAS_STACK_TEST := tests/integration/tools/faas_local/test_stack.py
PROMETHEUS_PORT ?= 9094
SCENARIO ?= *
RUNS ?= 5
ROUNDS ?= 15
BOUND ?= 1.03
AXIS ?= *
LARGEST ?= 1000000
SECONDS ?= 3

.DEFAULT_GOAL := help
.PHONY: help run faas demo token migrate forget config configuration openapi client-types compose-secrets dashboards grafana packages-table test suite soak api-server lint style types environment tests-environment bench bench-compare bench-growth bench-stages bench-tests console javascript-types screenshots clean

help: ## what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

run: environment ## the whole service on this machine, until Ctrl-C
	@$(VENV)/python -m local.run

faas: environment ## a provider for faas-cli on this machine, with PostgreSQL and Redis, until Ctrl-C
	@$(VENV)/python -m tools.faas_local

demo: environment ## run the samples and a script of each language, and show the times
	@$(VENV)/python -m local.demo

token: environment ## a development token: make token SUB=alice SCOPE="execute:python" TTL=3600
	@$(VENV)/python -m local.token --subject "$(SUB)" --scope "$(SCOPE)" --ttl "$(TTL)"

migrate: environment ## bring the local database to the newest schema
	@$(VENV)/python -m local.one_shot migrate

forget: SUB :=
forget: environment ## remove all of one user's data: make forget SUB=alice
	@test -n "$(SUB)" || { echo "whose? make forget SUB=alice" >&2; exit 1; }
	@$(VENV)/python -m local.one_shot forget "$(SUB)"

config: environment ## print the values of all variables as they hold here, secrets masked
	@$(VENV)/python -m tools.docs.configuration

configuration: environment ## write docs/configuration.md and .env.example anew
	@$(VENV)/python -m tools.docs.configuration --write

openapi: tests-environment ## write docs/openapi.yaml anew
	@$(VENV)/python -m tools.docs.openapi docs/openapi.yaml

client-types: tests-environment ## write the answers' types of the Python client anew
	@$(VENV)/python -m tools.docs.client_types --write

compose-secrets: ## make the secrets that deploy/docker-compose.yml asks for, where there are none yet
	@$(PYTHON) -m tools.compose_secrets

dashboards: environment ## a Prometheus beside `make run`, with our rules, until Ctrl-C
	@$(VENV)/python -m local.monitoring --port "$(PROMETHEUS_PORT)"

grafana: tests-environment ## write the dashboards of deploy/grafana anew
	@$(VENV)/python -m deploy.grafana.source.documents deploy/grafana/dashboards

console: tests-environment ## build the console's files anew, of console/
	@$(VENV)/python -m tools.console

javascript-types: tests-environment ## write the types of clients/javascript anew
	@$(VENV)/python -m tools.javascript_client

screenshots: tests-environment ## take the pictures of docs/pictures anew
	@$(VENV)/python -m tools.console --prepare
	@$(VENV)/python -m tools.docs.screenshots

packages-table: environment ## install popular packages, run a call of each, and write docs/popular-packages.md anew
	@$(VENV)/python -m tools.docs.packages

# A tool that cannot be had is said here; the tests that need it skip, or fail where CI is set.
test: style ## lint and all tests, with all they need
	-@$(VENV)/python -m local.fetch.rust_toolchain .local/rust-toolchain
	-@$(VENV)/python -m runtime.languages.rust.glue .local/rust-toolchain
	-@$(VENV)/python -m local.fetch.openfaas_tools .local/openfaas
	-@$(VENV)/python -m local.fetch.kubernetes_tools .local/kubernetes
	-@$(VENV)/python -m local.fetch.debian_program prometheus .local/prometheus
	-@$(VENV)/python -m local.fetch.debian_program wrk .local/wrk
	@$(VENV)/python -m local.fetch.wheels .local/wheels
	-@$(VENV)/python -m tools.docs.packages --sample
	-@$(VENV)/python -m local.fetch.debian_program haproxy .local/haproxy
	-@$(VENV)/python -m tools.console --prepare
	-@$(VENV)/python -m tools.javascript_client --prepare
	@$(MAKE) --jobs=2 --no-print-directory types suite

suite: # the tests alone, where all parts are there
	@$(VENV)/python -m tools.checks.suite

soak: tests-environment ## each fault under a minute of load; a million rows; all of stack.yml by `make faas`
	@SOAK=1 $(VENV)/python -m pytest -rP tests/acceptance/test_load.py \
		tests/integration/controller/database/test_statistics.py $(FAAS_STACK_TEST)

api-server: tests-environment ## manifests and discovery on a real Kubernetes API server; its first build takes ten minutes
	@$(VENV)/python -m local.fetch.kubernetes_tools .local/kubernetes
	@$(VENV)/python -m tools.api_server .local/api-server
	@$(VENV)/python -m pytest $(API_SERVER_TESTS)

lint: style types ## format, style, words, types, layers, and schemas of configuration files

types: tests-environment # types and layers, which take a minute where no cache is: `make test` has the tests run beside
	@$(VENV)/mypy
	@PYTHONPATH=. $(VENV)/lint-imports --no-logo --no-cache

style: tests-environment # the rest of lint
	@$(VENV)/ruff format --check .
	@$(VENV)/ruff check .
	@$(VENV)/python -m tools.checks.plain_words
	@$(VENV)/check-jsonschema --quiet --schemafile tools/checks/stack.schema.json stack.yml
	@$(VENV)/check-jsonschema --quiet --builtin-schema vendor.compose-spec deploy/docker-compose.yml
	@$(VENV)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(VENV)/check-jsonschema --quiet --builtin-schema vendor.renovate renovate.json

environment:
	@$(PYTHON) -m local.environment

tests-environment:
	@$(PYTHON) -m local.environment --tests

# Rust, where it cannot be had, is left out. GATE=--gate ends badly when a target is missed.
bench: tests-environment ## throughput, latency and CPU beside a yardstick: make bench SCENARIO="cached,warm-*" RUNS=5 SECONDS=3
	-@$(VENV)/python -m local.fetch.rust_toolchain .local/rust-toolchain
	-@$(VENV)/python -m runtime.languages.rust.glue .local/rust-toolchain
	@$(VENV)/python -m bench.run --scenario "$(SCENARIO)" --runs "$(RUNS)" --seconds "$(SECONDS)" $(GATE)

bench-compare: SCENARIO := cached,warm-python,warm-nodejs
bench-compare: environment ## CPU time beside another commit: make bench-compare BASE=main ROUNDS=15 BOUND=1.03 SCENARIO=cached
	@test -n "$(BASE)" || { echo "name a commit: make bench-compare BASE=main" >&2; exit 1; }
	@$(VENV)/python -m bench.compare --base "$(BASE)" --rounds "$(ROUNDS)" --bound "$(BOUND)" --scenario "$(SCENARIO)"

bench-growth: environment ## how costs grow with what there is: make bench-growth AXIS="sessions,log-rows" LARGEST=100000
	@$(VENV)/python -m bench.growth --axis "$(AXIS)" --largest "$(LARGEST)" $(GATE)

bench-stages: environment ## where the CPU time of an execution goes, stage by stage
	@$(VENV)/python -m bench.stages.run --runs "$(RUNS)"

bench-tests: tests-environment ## the commands above, each on very little: answers and tables, no times
	-@$(VENV)/python -m local.fetch.debian_program wrk .local/wrk
	@$(VENV)/python -m pytest tests/integration/bench

clean: ## remove everything that was made here, data included
	@$(PYTHON) -m local.clean
