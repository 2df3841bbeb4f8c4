# Everything one types while working on AutoVoice. `make` alone lists it.
#
# PYTHON=python3.12 before or after a target picks the interpreter; .venv is made
# anew when it changes. What is already installed is not installed again.

PYTHON ?= python3
TEXT ?= Hello, world.
OUT ?= hello.wav
JOBS ?= 2

VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
CODE = $(wildcard main.py noxfile.py src tests benchmarks scripts config deploy)

# Stamps: files that say what .venv holds, newer than the pyproject.toml it came from.
RUNS := $(shell $(PYTHON) -c 'import platform; print(platform.python_version())' 2>/dev/null)
MADE := $(VENV)/made-with-$(RUNS)
CORE := $(VENV)/core-for-$(RUNS)
DEV := $(VENV)/dev-for-$(RUNS)

LINTS := lint-format lint-style lint-types lint-security lint-versions lint-imports lint-image \
	lint-shell lint-workflows

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help setup run say test test-fast test-serial test-timed test-containers test-parallel \
	test-matrix checks coverage coverage-run coverage-report lint $(LINTS) lint-tools \
	audit ci dist dist-again dist-check dist-speaks release-check release-notes release-sbom \
	release-dry-run format bench dashboards observe native lock image up down logs clean

help: ## list what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo '  … PYTHON=python3.12 picks the interpreter, ARGS="…" hands more to the command.'

setup: $(DEV) ## prepare .venv with the server and the tools to work on it

run: $(CORE) ## set up and start the server on port 5000
	@exec $(BIN)/autovoice serve $(ARGS)

# Make has its own ideas about "$" in a text; value keeps it as it was typed.
export SAY_TEXT := $(value TEXT)
export SAY_TO := $(value OUT)

say: $(CORE) ## speak TEXT="Hello, world." into OUT=hello.wav
	@$(BIN)/autovoice say --output "$$SAY_TO" $(ARGS) -- "$$SAY_TEXT"

# What has to have the machine for itself comes first; 5 is pytest's "no such tests".
NONE_IS_FINE = || [ $$? -eq 5 ]

# A worker with nothing left takes over what another has: tests that start servers stand together.
PARALLEL = -n $(JOBS) --dist worksteal

# With AGAIN=yes, tests that fail, or that a breakdown keeps from running, are run once more.
RUN = $(if $(AGAIN),$(PY) scripts/again.py) $(PY)

test: test-serial test-parallel ## run every test that this machine can run

test-serial: test-timed test-containers

test-timed: $(DEV)
	$(RUN) -m pytest -m "serial and not containers" $(ARGS) $(NONE_IS_FINE)

# What runs containers waits more than it computes: two files of it go on side by side.
test-containers: $(DEV)
	$(RUN) -m pytest -m "serial and containers" -n $(JOBS) --dist loadfile $(ARGS) $(NONE_IS_FINE)

test-parallel: $(DEV)
	$(RUN) -m pytest $(PARALLEL) -m "not serial" $(ARGS) $(if $(ARGS),$(NONE_IS_FINE))

test-fast: $(DEV) ## run the tests of a minute: the unit tests and the house's own
	$(RUN) -m pytest $(PARALLEL) -m "not serial and not slow" tests/unit tests/house $(ARGS)

# With FAST=yes, without those that are slow; SESSIONS are some of those in noxfile.py.
test-matrix: $(DEV) lint-tools ## run unit and integration tests on each Python that is here
	$(PY) -m nox $(if $(VERSIONS),--pythons $(VERSIONS)) $(if $(SESSIONS),--sessions $(SESSIONS)) \
		$(if $(ARGS),-- $(ARGS))

checks: $(DEV) ## hold documents, dashboards, rules and workflows to the code
	$(PY) -m pytest $(PARALLEL) -m "not serial" tests/house tests/alerts tests/unit/test_docs.py \
		tests/integration/test_dashboards.py $(ARGS)

coverage: coverage-run coverage-report ## say which lines no test reaches (see htmlcov/); fail below 90 %

coverage-run: $(DEV) lint-tools
	$(PY) -m coverage erase
	$(RUN) -m coverage run -m pytest $(PARALLEL) -m "not serial" $(ARGS)

coverage-report:
	$(PY) -m coverage combine --quiet
	$(PY) -m coverage html --quiet --fail-under 0
	$(PY) -m coverage xml --quiet --fail-under 0 -o htmlcov/coverage.xml
	$(PY) -m coverage report

lint: lint-tools ## check format, style, types, security, Python 3.8, imports, scripts and workflows
	@$(MAKE) --no-print-directory --keep-going $(LINTS)

$(LINTS): $(DEV) lint-tools

lint-tools: $(DEV)
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "The tools need Python 3.11 or newer, and .venv has $(RUNS): make PYTHON=python3.11 …" >&2; \
		exit 1; }

lint-format:
	$(BIN)/black --check --quiet --diff $(CODE)
	$(BIN)/isort --check-only --diff $(CODE)

lint-style:
	$(BIN)/flake8 $(CODE)

lint-types:
	$(BIN)/mypy $(wildcard main.py) src
	MYPYPATH=deploy $(BIN)/mypy --package deployer

lint-security:
	$(BIN)/bandit --configfile pyproject.toml --quiet --recursive $(wildcard main.py) src deploy

lint-versions:
	$(BIN)/vermin --quiet $(wildcard main.py) src deploy

lint-imports:
	$(BIN)/lint-imports --no-cache

lint-image:
	$(BIN)/hadolint Dockerfile

# Every script in bash or sh, by its first line: some have no ending in their names.
lint-shell:
	git grep -nIE -e '^#!.*\b(ba)?sh$$' -- ':!*.md' | sed -n 's/:1:.*//p' | xargs $(BIN)/shellcheck

# None of these asks the network. zizmor's auditor is its strictest reader.
lint-workflows:
	$(BIN)/zizmor --quiet --offline --no-progress --persona auditor --strict-collection .github
	$(BIN)/actionlint -shellcheck $(BIN)/shellcheck -pyflakes ''
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml

audit: $(DEV) lint-tools ## ask for known weaknesses of the packages that are locked (it takes the network)
	scripts/audit.sh

format: $(DEV) lint-tools ## format the code
	$(BIN)/isort $(CODE)
	$(BIN)/black $(CODE)

dashboards: $(DEV) lint-tools ## write Grafana's dashboards anew: config/grafana/dashboards
	$(PY) config/grafana/generate

observe: $(DEV) ## start a server under a little load, and Prometheus to watch it
	@exec $(PY) scripts/observe.py $(ARGS)

# Of the image's Python, for every processor, and with each file's hash.
LOCK = UV_CUSTOM_COMPILE_COMMAND='make lock' $(BIN)/uv pip compile --quiet --universal \
	--python-version 3.12 --generate-hashes --upgrade

# Every extra but sherpa, for whose size see pyproject.toml.
IMAGE_EXTRAS := piper redis tracing

lock: $(DEV) lint-tools ## choose anew what the image is made of: requirements.lock
	$(LOCK) $(IMAGE_EXTRAS:%=--extra %) --output-file requirements.lock pyproject.toml
	$(LOCK) --output-file requirements-build.lock requirements-build.in

VARIANT ?= cpu
TAG ?= autovoice:$(VARIANT)

image: ## build the image autovoice:cpu, or with VARIANT=cuda autovoice:cuda
	DOCKER_BUILDKIT=1 docker build --target $(VARIANT) --tag $(TAG) $(ARGS) \
		$$(scripts/image-arguments.sh | sed 's/^/--build-arg /') .

# PROFILE=monitoring adds Prometheus and Grafana; .env says the rest: docs/deployment-guide.md.
COMPOSE = docker compose $(foreach name,$(PROFILE),--profile $(name))

up: ## start the stack of docker-compose.yml, PROFILE=monitoring more of it, and wait for it
	$(COMPOSE) up --detach --build --wait $(ARGS)
	@$(COMPOSE) ps

down: ## stop the stack; what is in its volumes stays
	docker compose --profile '*' down $(ARGS)

logs: ## follow what the stack says
	docker compose --profile '*' logs --follow --tail 100 $(ARGS)

# ---- what the workflows run: docs/releasing.md ---------------------------------

ci: ## run what has to pass before a change lands, as .github/workflows/ci.yml does
	.ci/run

dist: $(DEV) lint-tools ## build wheel and sdist of the last commit, and their sums, in dist/
	scripts/dist.sh dist

dist-again: $(DEV) lint-tools ## build them once more, elsewhere, and compare every byte with dist/
	scripts/dist.sh --compare dist

dist-check: ## hold what is in dist/ to its sums
	cd dist && sha256sum --check --strict SHA256SUMS

dist-speaks: $(DEV) lint-tools ## install the wheel in dist/ on PYTHONS="3.8 … 3.13", and have it speak
	$(PY) scripts/speaks.py dist $(PYTHONS)

# VERSION is the tag, as v1.2.3 or v1.2.3-rc.1.
release-check release-notes: export VERSION ?=

release-check: $(DEV) lint-tools ## stop unless VERSION=v1.2.3 is what the source and the changelog say
	$(PY) scripts/release.py check "$$VERSION"

release-sbom: $(DEV) lint-tools ## list what an installed wheel consists of, as CycloneDX, in dist/
	$(PY) scripts/release.py sbom dist

release-notes: $(DEV) lint-tools ## write build/release-notes.md: the changelog's section, then the commits
	$(PY) scripts/release.py notes "$$VERSION" build/release-notes.md

release-dry-run: export RELEASE_DRY_RUN = yes
release-dry-run: ## do all of a release of VERSION=v1.2.3 but publish nothing
	@$(MAKE) --no-print-directory release-check dist dist-again dist-speaks release-sbom
	@$(MAKE) --no-print-directory dist-check release-notes
	@echo 'Nothing was published. dist/ and build/release-notes.md have what would be.'

bench: $(DEV) ## measure: writes the table in docs/performance.md and a JSON
	$(PY) benchmarks/run.py $(ARGS)

# -DCMAKE_CUDA_ARCHITECTURES=90 in ARGS builds for one kind of GPU, -DAUTOVOICE_CUDA=OFF for none.
native: ## compile what training computes: C++, and CUDA where nvcc is (ARGS goes to cmake)
	cmake -S native -B build/native -DCMAKE_INSTALL_LIBDIR=lib $(ARGS)
	cmake --build build/native --parallel
	cmake --install build/native --component library --prefix src/auto_voice/kernels

clean: ## remove .venv and all that tests and tools leave behind
	rm -rf $(VENV) .nox .coverage .coverage.* htmlcov build dist src/*.egg-info \
		src/auto_voice/kernels/lib \
		.hypothesis .import_linter_cache .mypy_cache .pytest_cache
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- .venv --------------------------------------------------------------------

$(MADE):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 8))' || { \
		echo "AutoVoice needs Python 3.8 or newer as '$(PYTHON)': make PYTHON=python3.11 …" >&2; \
		exit 1; }
	@[ "$$($(PY) -c 'import pip, platform; print(platform.python_version())' 2>/dev/null)" = "$(RUNS)" ] \
		|| { echo "Making $(VENV) with Python $(RUNS)"; $(PYTHON) -m venv --clear $(VENV); }
	@$(PY) -m pip install --quiet --upgrade pip
	@touch $@

$(CORE): pyproject.toml | $(MADE)
	@echo "Installing the server into $(VENV)"
	@$(PY) -m pip install --quiet --editable .
	@touch $@

# Not `pip install --group`: the newest pip for Python 3.8 does not know it yet.
$(DEV): pyproject.toml | $(MADE)
	@echo "Installing the server and the tools into $(VENV)"
	@$(PY) -m pip install --quiet dependency-groups
	@$(PY) -m dependency_groups --output $(VENV)/dev.txt dev
	@$(PY) -m pip install --quiet --editable . --requirement $(VENV)/dev.txt
	@touch $(CORE) $@
