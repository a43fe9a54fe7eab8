# make run: the local edge and its demo world. make test: every check. Both make their own virtual environment.
PYTHON ?= python3
PORT ?= 8080
AWS_PORT ?= 4566
BIN := .venv/bin
export SAM_CLI_TELEMETRY := 0

.PHONY: run test lint bench soak faults plots sites build clean

run: .venv/run.stamp .venv/ministack.stamp
	$(BIN)/python -m local_edge --port $(PORT) --aws-port $(AWS_PORT)

test: .venv/test.stamp .venv/checkov.stamp .venv/ministack.stamp .venv/sites.stamp node_modules/.stamp \
		tests/sites/node_modules/.stamp lint
	$(BIN)/pytest

lint: .venv/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/test.stamp .venv/ministack.stamp .venv/awscli.stamp .venv/plain.stamp node_modules/.stamp
	$(BIN)/pytest -n0 --timeout 1800 -p rerunfailures --reruns 2 --benchmark-disable-gc --benchmark-quiet benchmarks $(BENCH)

soak: .venv/test.stamp .venv/checkov.stamp .venv/ministack.stamp node_modules/.stamp
	$(BIN)/python -m benchmarks.soak $(PART)

faults: .venv/test.stamp node_modules/.stamp
	$(BIN)/python -m benchmarks.faults $(if $(FULL),--full)

plots: .venv/plots.stamp
	.venv/plots/bin/python benchmarks/plots.py

sites: .venv/test.stamp .venv/sites.stamp tests/sites/node_modules/.stamp
	$(BIN)/python -m tests.sites.building

build: .venv/test.stamp
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/sam build

clean:
	rm -rf .venv .aws-sam node_modules tests/sites/node_modules build .hypothesis .mypy_cache .pytest_cache .ruff_cache

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.13 ..." >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "On Debian: apt-get install python3-venv" >&2; exit 1; }

.venv/run.stamp: requirements.txt pyproject.toml | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

.venv/test.stamp: requirements-dev.txt .venv/run.stamp
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	@touch $@

# Apart from the rest: they pin other versions of what the rest is tested with.
.venv/awscli.stamp .venv/checkov.stamp .venv/ministack.stamp .venv/plots.stamp .venv/sites.stamp: .venv/%.stamp: \
		requirements-%.txt | .venv/bin/python
	$(PYTHON) -m venv .venv/$*
	.venv/$*/bin/pip install --quiet --disable-pip-version-check --requirement requirements-$*.txt
	@touch $@

# As whoever installs table-admin has it: what other tools bring makes boto3's start a third slower.
.venv/plain.stamp: requirements.txt | .venv/bin/python
	$(PYTHON) -m venv .venv/plain
	.venv/plain/bin/pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@touch $@

# dynalite, a DynamoDB for the edge's reads; generators of sites. Without npm their tests are skipped (and fail in CI).
node_modules/.stamp tests/sites/node_modules/.stamp: %node_modules/.stamp: %package.json %package-lock.json
	@mkdir -p $(@D)
	@if command -v npm >/dev/null; then \
		npm ci --prefix $(@D)/.. --no-audit --no-fund --loglevel error; \
		else echo "npm is not installed: the tests of what $< names are skipped"; fi
	@touch $@
