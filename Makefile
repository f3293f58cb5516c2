# What a person types. Everything is installed into .venv, from the lock files, when something changed.
# Python 3.11 or newer: make PYTHON=python3.12 test

PYTHON ?= python3
BIN := .venv/bin
RUNTIME := .venv/runtime.stamp
DEVELOPMENT := .venv/development.stamp
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCK := pip-compile --quiet --no-header --no-annotate --strip-extras --no-emit-index-url --no-emit-trusted-host \
	--no-emit-find-links

# The whole suite on all processors; what ARGS names runs one after the other, unless it says --numprocesses itself.
SIDE_BY_SIDE := --numprocesses=auto --maxprocesses=4 --dist=loadfile --no-loadscope-reorder

# The suite starts the hub's commands hundreds of times; without compiled files each would compile the hub.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test conformance lint bench chaos claims world fuzz agreement docs lock clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1	\2/p' Makefile | expand -t 16

demo: $(RUNTIME) ## start the hub with a small synthetic world; Ctrl-C ends it
	@exec $(BIN)/throughline demo $(ARGS)

test: $(DEVELOPMENT) ## run the suite; what needs PostgreSQL or a browser is skipped by name where there is none
	@$(BIN)/python -m pytest $(or $(ARGS),$(SIDE_BY_SIDE))

conformance: $(DEVELOPMENT) ## judges that nobody here wrote: the HL7 validator, foreign clients; needs Java, Maven, Node.js
	@$(BIN)/python -m pytest tests/conformance $(ARGS)

lint: $(DEVELOPMENT) ## ruff, formatting, types, import contracts
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo

bench: $(DEVELOPMENT) ## the hub on PostgreSQL against ceilings of the same run, as JSON; ARGS=--quick in two minutes
	@exec $(BIN)/python -m tests.bench.run $(ARGS)

chaos: $(DEVELOPMENT) ## kill the hub at each commit boundary and count what is left
	@THROUGHLINE_CLAIM_ROUNDS=$${THROUGHLINE_CLAIM_ROUNDS:-200} $(BIN)/python -m pytest tests/chaos $(ARGS)

claims: $(DEVELOPMENT) ## 10,000 times 64 partners of several processes accept the same referral at once, on PostgreSQL; takes hours
	@THROUGHLINE_CLAIM_ROUNDS=$${THROUGHLINE_CLAIM_ROUNDS:-10000} \
		$(BIN)/python -m pytest tests/chaos/test_claiming.py -s -k postgresql $(ARGS)

world: $(DEVELOPMENT) ## ninety days of a made-up world on a moved clock, its figures as JSON; ARGS="--days 10" for fewer
	@exec $(BIN)/python -m tests.world.run $(ARGS)

fuzz: $(DEVELOPMENT) ## ten minutes of broken messages, and the property tests with many more examples than the suite takes
	@THROUGHLINE_FUZZ_SECONDS=$${THROUGHLINE_FUZZ_SECONDS:-600} $(BIN)/python -m pytest tests/fuzz -s $(ARGS)
	@THROUGHLINE_FUZZ_SECONDS=$${THROUGHLINE_FUZZ_SECONDS:-600} $(BIN)/python -m pytest tests/property \
		--hypothesis-profile=fuzz $(ARGS)

agreement: $(DEVELOPMENT) ## how far the hub and FHIR that others wrote of the same messages agree
	@$(BIN)/python -m tests.agreement.run $(ARGS)

docs: $(DEVELOPMENT) ## check that the documentation agrees with the code and that its links lead somewhere
	@$(BIN)/python -m pytest tests/architecture/test_docs.py $(ARGS)

lock: $(DEVELOPMENT) ## resolve the lock files anew from pyproject.toml
	@$(PIP) install pip-tools
	@$(BIN)/$(LOCK) --output-file requirements.lock pyproject.toml
	@$(BIN)/$(LOCK) --output-file requirements-dev.lock --extra dev --constraint requirements.lock pyproject.toml

clean: ## remove the environment and the caches; keeps var/, where the data is
	@rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find app fhir_mappings schemas tests tools -name __pycache__ -prune -exec rm -rf {} +

# An environment that stands in the middle of its installation has no stamp, and is begun again.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "venv is missing: apt-get install python3-venv" >&2; exit 1; }

$(RUNTIME): requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing into .venv ..." >&2
	@$(PIP) install --requirement requirements.lock
	@$(PIP) install --no-deps --editable .
	@touch $@

$(DEVELOPMENT): requirements-dev.lock $(RUNTIME)
	@$(PIP) install --requirement requirements-dev.lock
	@touch $@
