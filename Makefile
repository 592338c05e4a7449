# `make demo` and `make test` work in a fresh clone: they make .venv, install what constraints.txt pins, and run.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
TORCH := torch==2.13.0

RESULTS := $(patsubst recipes/%.yaml,benchmarks/results/%.json,$(wildcard recipes/*.yaml))

STUDIES := $(wildcard benchmarks/results/studies/*)

HEADLINES := kd-digits kd-small-cora kd-cora graphakd-cora gsp-cora lsp-cora glnn-cora oad-cora oad-citeseer oad-pubmed oad-released-cora \
	alignahead-plus-cora alignahead-plus-citeseer

.PHONY: demo test format docs results tables bench-speed clean

demo: $(VENV)/installed
	$(BIN)/graphstill demo

test: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

# What `make test` checks first, mended where it can be.
format: $(VENV)/installed-dev
	$(BIN)/python -m tools.names
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	$(BIN)/python tools/site/check.py site

# Every figure of the table in README.md, from the recipes; needs their data (GRAPHSTILL_DATA, or a network).
results: $(RESULTS) tables

# The tables alone, from the committed raw results: all of them, those of the studies, and those of the README; and what
# `graphstill show` says of each method, the methods' tables and papers, and the plot of gains.
tables: $(VENV)/installed-docs
	$(BIN)/python -m tools.measured
	$(BIN)/python -m tools.methods
	$(BIN)/python -m tools.gains
	$(BIN)/python -m tools.architecture
	$(BIN)/graphstill report benchmarks/results --update docs/results.md
	for study in $(STUDIES); do $(BIN)/graphstill report $$study --study --published benchmarks/published.yaml \
		--update docs/results.md >/dev/null || exit 1; done
	$(BIN)/graphstill report benchmarks/results/studies/guarded --study --published benchmarks/published.yaml \
		--update docs/guard.md >/dev/null
	$(BIN)/graphstill report benchmarks/results/studies --pages docs/methods
	$(BIN)/graphstill report benchmarks/results --only "$(HEADLINES)" --update README.md

# What docs/performance.md shows, measured again: a quarter of an hour on one idle core. Needs the data, as above.
bench-speed: $(VENV)/installed
	$(BIN)/python -m benchmarks.speed
	$(BIN)/python -m benchmarks.speed --update

benchmarks/results/%.json: recipes/%.yaml | $(VENV)/installed
	$(BIN)/graphstill distill $< --dir runs/results/$* --resume
	cp runs/results/$*/comparison.json $@

clean:
	rm -rf $(VENV) site build

# Stamps: the second call installs nothing unless what is to be installed has changed.
$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --constraint constraints.txt $(TORCH)
	$(PIP) --constraint constraints.txt --editable '.[export,serve,images]'
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(PIP) --constraint constraints.txt --editable '.[dev]'
	touch $@

$(VENV)/installed-docs: $(VENV)/installed
	$(PIP) --constraint constraints.txt --editable '.[docs]'
	touch $@
