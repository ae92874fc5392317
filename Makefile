# Each target does its own set-up in .venv; Python >= 3.11, make and git are all it needs.
PYTHON ?= python3
PYTEST_ARGS ?= -n auto
export DATA CORPUS

# Without a GPU, take the CPU build of torch: pip prefers its version, 2.13.0+cpu, to the
# plain one with its gigabytes of CUDA. Where that index cannot be reached pip goes on
# without it, soon, as the tries are bounded and what torch needs is left for later.
TORCH_INDEX ?= $(shell command -v nvidia-smi > /dev/null || \
	echo --extra-index-url https://download.pytorch.org/whl/cpu --timeout 15 --retries 1)

BIN = .venv/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test lint docs bench clean

demo: .venv/.installed
	$(BIN)/python examples/demo_wristband.py \
		$${DATA:+--data "$$DATA"} $${CORPUS:+--corpus "$$CORPUS"}

test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PYTEST_ARGS)

lint: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

docs: .venv/.docs
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html
	PHYSIO_SSL_SITE=docs/_build/html $(BIN)/python -m pytest -q tests/test_site.py

bench: .venv/.installed
	$(BIN)/python benchmarks/run.py

clean:
	rm -rf build dist demo_results docs/_build docs/auto_examples docs/generated docs/sg_execution_times.rst \
		.pytest_cache .ruff_cache .hypothesis .coverage *.egg-info
	find . -name .venv -prune -o -name __pycache__ -type d -exec rm -rf {} +

.venv/.installed: setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Python >= 3.11 is needed: make PYTHON=python3.12, say.' >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(PIP) $(TORCH_INDEX) --no-deps torch
	$(PIP) -e '.[dev,plot]'
	@touch $@

.venv/.docs: .venv/.installed
	$(PIP) -e '.[docs]'
	@touch $@
