# Everything runs in .venv, which the first target that needs it sets up.

PYTHON ?= python3
BIN := .venv/bin
CHECKED := src runtime tests scripts $(wildcard bench)
# `make test` asks this much of these parts; the floor is in percent of lines and branches.
FLOOR := 90
# `lab` is not among them: half of it runs in processes of its own, which coverage does not see yet.
FLOORED := $(addprefix mainstay/,link model sources rules evidence gates experiments plan dossier asking) mainstay_runtime

.DEFAULT_GOAL := help
.PHONY: help demo test twins prove-full format docs bench pins clean

help:  ## show this list
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' $(MAKEFILE_LIST)

demo: .venv/ready  ## review the flawed example, then the sound one
	@$(BIN)/python scripts/demo.py

test: .venv/ready  ## every check that CI runs
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/mypy
	$(BIN)/lint-imports
	@rm -f .coverage .coverage.*
	$(BIN)/pytest -n 2 --cov --cov-report=
	@for part in $(FLOORED); do \
	  echo "coverage of $$part (at least $(FLOOR) %)"; \
	  $(BIN)/coverage report --fail-under=$(FLOOR) --include="*/$$part/*" || exit 1; \
	done

twins: .venv/ready  ## prove each flawed twin of the example with the experiment that has to catch it
	$(BIN)/python scripts/twins.py

prove-full: .venv/ready  ## the experiments that are too long for `make test`: the full profile of the example
	$(BIN)/pytest -m long --no-header -q
	$(BIN)/mainstay prove examples/payments --profile full

format: .venv/ready  ## format the code and mend what ruff can mend safely
	$(BIN)/ruff check --fix $(CHECKED)
	$(BIN)/ruff format $(CHECKED)

docs: .venv/ready  ## print the parts of the documents that are taken from the code
	@$(BIN)/python scripts/print_docs.py

bench:  ## say how speed is measured
	@echo "Speed is measured by hand, on a backend of your choice. Each of these begins with what it"
	@echo "measures and how to run it:"
	@ls bench/*.py

pins: .venv/ready  ## renew constraints.txt from pyproject.toml (goes online)
	$(PYTHON) scripts/pins.py

clean:  ## remove everything that was set up or built
	rm -rf .venv .pins build dist .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp: set up again only when the pins or the packaging change.
.venv/ready: constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Mainstay needs Python 3.11 or later; $(PYTHON) is older. Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
