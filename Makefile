PYTHON ?= python3
BIN := .venv/bin

.PHONY: venv report test test-all bench clean lint
.DEFAULT_GOAL := report

venv: .venv/.stamp

.venv/.stamp: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'virtperf needs Python 3.11 or newer; try: make PYTHON=python3.12'; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install -q -c constraints.txt -e '.[dev]'
	touch $@

report: venv
	$(BIN)/virtperf report --out results/report

lint: venv
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

test: lint
	$(BIN)/pytest -m "not slow" -n 2

test-all: lint
	$(BIN)/pytest -n 2

bench: venv
	$(BIN)/pip install -q -c constraints.txt -e '.[benchmark]'
	$(BIN)/python -m tests.benchmark

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis results/report
	find virtperf models tests -name __pycache__ -prune -exec rm -rf {} +
