# Each target sets up what it needs: `make demo` and `make test` work on a fresh checkout with python3.11 or newer.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
INSTALL = $(BIN)/python -m pip install --disable-pip-version-check

.PHONY: demo test lint format types docs site clean

demo: $(VENV)/.demo  ## build the synthetic cohort and load it
	$(BIN)/covid-datasets build phantom
	$(BIN)/python docs/demo.py
	@echo "To go on: . $(BIN)/activate, then covid-datasets list"

test: $(VENV)/.dev  ## every test and every docstring example
	$(BIN)/python -m pytest -n 2 $(TESTS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.dev
	$(BIN)/mypy

docs: $(VENV)/.demo  ## rewrite docs/sources/ from the catalogs, and the pictures of a terminal
	$(BIN)/python -m covid_datasets.contribute.pages
	$(BIN)/python docs/pictures/terminal.py

site: $(VENV)/.site  ## docs/ as pages in build/site/html, with what is built on this machine
	$(BIN)/covid-datasets build phantom
	$(BIN)/python -m docs.site build/site $(if $(NOTEBOOKS),--notebooks $(NOTEBOOKS))

clean:  ## remove the virtual environment and what tools left; the dataset cache stays (see `covid-datasets cache`)
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

$(BIN)/python:
	@echo "Making a virtual environment in $(VENV) and installing into it. This happens once."
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml | $(BIN)/python
	$(INSTALL) -e '.[hf]'
	touch $@

$(VENV)/.site: pyproject.toml | $(BIN)/python
	$(INSTALL) -e '.[hf,site]'
	touch $@ $(VENV)/.demo

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(INSTALL) -e '.[dev]'
	touch $@ $(VENV)/.demo
