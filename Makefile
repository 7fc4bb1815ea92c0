# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do $$p -c 'import venv' 2> /dev/null && echo $$p && break; done)
VENV ?= .venv
BIN = $(VENV)/bin
OUT ?= demo

.PHONY: demo test test-slow check clean

$(BIN)/ovfrad: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "E_PYTHON Makefile: no python3 on the path; give one with make PYTHON=..."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $(BIN)/ovfrad

$(BIN)/pytest: $(BIN)/ovfrad
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	@touch $(BIN)/pytest

demo: $(BIN)/ovfrad
	$(BIN)/ovfrad demo --out $(OUT)

test: check
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-slow: $(BIN)/pytest
	$(BIN)/python -m pytest -n 2 -m slow

check: $(BIN)/pytest
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) demo runs
