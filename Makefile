# Two commands from a fresh clone: `make alice` installs and grades a sample, `make test` checks the project.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: alice test lint system bench fuzz mutants clean

alice: $(VENV)/installed
	$(BIN)/grade submissions/alice

test: $(VENV)/ready system lint
	$(BIN)/python -m pytest -n auto --dist loadfile

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/grade audit

# A browser and jq, which some tests want; installed where that can be done.
system:
	.ci/system

bench: $(VENV)/ready
	$(BIN)/python benchmarks/run.py

# Coverage-guided, of what reads notebooks and scripts: `make fuzz RUNS=1000000` for as long as that takes.
RUNS ?= 10000
fuzz: $(VENV)/ready
	$(BIN)/python -m pip install --quiet atheris
	$(BIN)/python -m tests.fuzz.reading $(VENV)/fuzz -runs=$(RUNS) -max_len=1200 -timeout=60

# Changes that no test notices: of all modules that are watched, or of MODULES.
mutants: $(VENV)/ready
	$(BIN)/python -m tests.mutation $(MODULES)

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/ready: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) scorecards
