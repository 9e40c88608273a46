# A fresh machine needs Python 3.11 or newer (with venv and pip: python3-venv on Debian), make and git. The real-broker tests also
# need Java 17 or newer and Maven; without them they are left out, and said to be, unless REQUIRE_KAFKA=1.
# Those through a real proxy need tinyproxy (REQUIRE_PROXY=1 insists on it); those of the alert rules promtool, amtool,
# Alertmanager and jsonnet, Debian's packages prometheus, prometheus-alertmanager and jsonnet (REQUIRE_PROMTOOL=1); those
# of the pages Debian's package chromium and `make browser` (REQUIRE_BROWSER=1).
# The dashboard is held against Grafana's types where Node and npm are (REQUIRE_NODE=1); the Kubernetes manifests against
# the API server's code after `make kubernetes`, which needs Go 1.26 or newer (REQUIRE_GO=1); the systemd unit where
# systemd-analyze is (REQUIRE_SYSTEMD=1).

PYTHON ?= python3
SEED ?= 1
FIRST ?= 0
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
MINUTES ?= 1
SECONDS ?= 60
BIN := .venv/bin
# Files stay whole: the tests of one share what is slow to make. Most wait for a broker, so `test` has a worker more.
PARALLEL := --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help venv broker demo test test-quick test-long durations check docs operations dashboard-picture advisories release-check simulate fuzz chaos bench rolling kafka kubernetes browser pictures lock clean

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 18

venv: .venv/.development ## .venv with everything in locks/dev.lock, and this project

.venv/.runtime: locks/image.lock locks/build.lock pyproject.toml locks/install.py
	@$(PYTHON) locks/install.py runtime
	@touch $@

.venv/.development: .venv/.runtime locks/dev.lock
	@$(PYTHON) locks/install.py development
	@touch $@

demo: .venv/.runtime ## the whole promise on this machine (ARGS=--keep leaves it running)
	@$(BIN)/customfit-consumer demo $(ARGS)

test: venv kafka ## every test but the long ones, quick ones first; with a real broker where Java and Maven are there
	@$(BIN)/python -m pytest -q -m "not long" --sample $(SEED) $(PARALLEL) -n $$(($(JOBS) + 1)) $(ARGS)

test-quick: venv ## the loop of work: under a minute on two cores, without a broker
	@$(BIN)/python -m pytest -q --quick $(PARALLEL) -n $(JOBS) $(ARGS)

durations: venv kafka ## tests/durations.toml: measures how long each file of `make test` takes
	@$(BIN)/python -m pytest -q -m "not long" --sample $(SEED) $(PARALLEL) -n $$(($(JOBS) + 1)) --store-durations

test-long: venv kafka ## what `make test` leaves out: tests of more than 20 s, each alone, and all cases (SAMPLE=2 SEED=7: two tests)
	@$(BIN)/python -m tests.long_tests $(if $(SAMPLE),--sample $(SAMPLE) --seed $(SEED)) $(ARGS)

check: venv ## lint, format, types, what may import what
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

docs: venv ## docs/settings.md, metrics.md, commands.md, Grafana's dashboard and Kubernetes' rules, made from their sources
	@$(BIN)/python -m tests.docs

operations: venv kafka ## docs/symptoms.md's tables, from real faults beside a real Prometheus, 20 min (ARGS="wrong_key")
	@$(BIN)/python -m tests.operations.run $(ARGS)

dashboard-picture: venv kafka ## docs/pictures/dashboard.png, about 5 min; needs npm and Chromium
	@$(BIN)/python -m tests.deploy.picture.draw

advisories: venv ## known flaws of what the image is made of (REQUIRE_ADVISORIES=1: a service must be asked, too)
	@$(BIN)/python -m tests.advisories

release-check: venv ## what a release would be made of, and whether it may be made (ARGS="--tag v0.1.0"); into dist
	@$(BIN)/python -m tests.release.check $(ARGS)

simulate: venv ## one simulated world, e.g. make simulate SEED=7, or many: make simulate SEEDS=10000
	@$(BIN)/python -m tests.simulation $(if $(SEEDS),--seeds $(FIRST)-$$(($(FIRST) + $(SEEDS) - 1)) --jobs $(JOBS) --all-kinds,--seed $(SEED))

fuzz: venv ## bytes that reach new code, against the decoding: make fuzz SECONDS=600
	@$(PYTHON) locks/install.py fuzz
	@$(BIN)/python -m tests.fuzz.run --seconds $(SECONDS)

chaos: venv kafka ## everything fails on a real broker, as the seed says: make chaos SEED=7 MINUTES=2
	@$(BIN)/python -m tests.chaos.run --seed $(SEED) --minutes $(MINUTES) $(ARGS)

bench: venv kafka ## this project beside its peers, on a real broker (ARGS="--scenario zero-latency-64"); needs Go
	@$(BIN)/python -m bench.run $(ARGS)

rolling: venv kafka ## a rolling restart and a fail-over under load, measured (ARGS=--rate=500)
	@$(BIN)/python -m bench.rolling_restart $(ARGS)

broker: venv kafka ## a real broker to work with by hand, until Ctrl-C (ARGS=--secured: TLS, a password, no rights)
	@$(BIN)/python -m tests.real_broker.by_hand $(ARGS)

kafka: venv ## fetch a real Kafka broker and a schema registry for the tests into .kafka
	@$(BIN)/python -m tests.real_broker.broker
	@$(BIN)/python -m tests.real_broker.registry

kubernetes: venv ## what holds deploy/kubernetes against the API server's own code; needs Go 1.26 (REQUIRE_GO=1 insists)
	@$(BIN)/python -m tests.deploy.kubernetes.manifests

browser: .venv/.browser ## what the tests in a browser need beside Debian's package chromium (REQUIRE_BROWSER=1 insists on both)

.venv/.browser: .venv/.development locks/browser.lock
	@$(PYTHON) locks/install.py browser
	@touch $@

pictures: browser ## docs/pictures: the pages and `top`, made again in Chromium
	@$(BIN)/python -m tests.browser.pictures

lock: ## renew what locks/ holds (needs uv)
	$(COMPILE) --group build -o locks/build.lock
	$(COMPILE) --group audit -o locks/audit.lock
	$(COMPILE) --group ci -o locks/ci.lock
	$(COMPILE) --group fuzz -o locks/fuzz.lock
	$(COMPILE) --group browser -o locks/browser.lock
	$(COMPILE) --group release -o locks/release.lock
	$(COMPILE) pyproject.toml -o locks/image.lock
	$(COMPILE) pyproject.toml --group dev -o locks/dev.lock
COMPILE = UV_CUSTOM_COMPILE_COMMAND="make lock" uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url

clean: ## remove all that make made
	rm -rf .venv .uv .python .audit .kafka .bench .fuzz .npm .hypothesis .mypy_cache .pytest_cache .ruff_cache build .release .upgrade dist
