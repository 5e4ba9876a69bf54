# make sweep: install and run the main job.   make test: install and run the tests.
# make docs: the documentation as a site, docs/_build/index.html.
# make check: has cost or accuracy fallen behind baselines/gate*.jsonl?
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: sweep test check lint docs clean
.DEFAULT_GOAL := sweep

.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "htpbench needs Python 3.11 or newer; try: make PYTHON=python3.11"; exit 2; }
	$(PYTHON) -m venv .venv
	PIP_CONSTRAINT=constraints.txt $(PIP) install --quiet --editable '.[dev]'
	@touch $@

sweep: .venv/.installed
	$(BIN)/htpbench sweep demo

test: .venv/.installed
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

check: .venv/.installed
	$(BIN)/htpbench check
	$(BIN)/htpbench check --study gate_onnxruntime

lint: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

docs: .venv/.installed
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build

clean:
	rm -rf .venv
