# `make demo` and `make test` set up everything they need in .venv, on a machine with Python >= 3.11.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test test-slow lint clean

demo: $(VENV)/demo.stamp
	$(BIN)/python -m experiments.demo --out=demo

test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -n 2 -m "not slow"

# The commands of the README among them: run `make demo` first.
test-slow: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -n 2 --dist loadfile -m slow

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) .venv-* demo

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo.stamp: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) -e '.[demo]'
	touch $@

$(VENV)/dev.stamp: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) -e '.[dev]'
	touch $@
