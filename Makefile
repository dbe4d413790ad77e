# Everything goes through tools/bootstrap.py: it prepares .venv, Qt's system libraries and, for
# tests, programs, and is done at once when nothing changed.
# Arguments for the program behind a target: make test ARGS="tests/core -k meter"

.DEFAULT_GOAL := help
.PHONY: help run test test-all check bench guide pictures translations dist lock

ARGS ?=
# Tests mostly wait, so more of them run than there are cores; those of a module stay together, as
# they share what they start.
TOGETHER := -n 4 --dist loadscope
PYTHON ?= python3
BIN := .venv/bin

# The bootstrap for this target, with the first Python that is new enough.
define prepare
@for python in $(PYTHON) python3.14 python3.13 python3.12 python3.11; do \
	if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		exec "$$python" tools/bootstrap.py $@ $(if $(filter lock,$@),$(ARGS)); \
	fi; \
done; \
echo "dropline: Python 3.11 or newer is needed, and none is on PATH." >&2; exit 1
endef

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 18

run: ## the window, or the guided demo where there is no display
	$(prepare)
	@$(BIN)/dropline $(ARGS)

test: ## the tests; one after the other: ARGS="-n 0"
	$(prepare)
	@$(BIN)/python -m pytest $(TOGETHER) $(ARGS)

test-all: ## the tests, with those of brokers and browser where they exist
	$(prepare)
	@$(BIN)/python -m pytest $(wildcard tests/core tests/desktop tests/system tests/brokers tests/browser tests/release) $(TOGETHER) $(ARGS)

check: ## format, lint, types, import contracts and translations
	$(prepare)
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python tools/translations.py --check

bench: ## the benchmarks
	$(prepare)
	@$(BIN)/python tests/benchmarks/run.py $(ARGS)

guide: ## the guide into build/guide; a warning fails
	$(prepare)
	@$(BIN)/python -m sphinx -q -W --keep-going docs build/guide $(ARGS)
	@echo build/guide/index.html

pictures: ## pictures of the READMEs and the guide, anew; ARGS=--all: all there are, to look at
	$(prepare)
	@$(BIN)/python tools/pictures.py $(ARGS)

translations: ## the strings of the code into the Qt Linguist sources, and those compiled
	$(prepare)
	@$(BIN)/python tools/translations.py

dist: ## what is published, made and tried out, into build/dist
	$(prepare)
	@$(BIN)/python tools/dist.py

lock: ## requirements.lock anew; ARGS=--upgrade moves every pin to its newest
	$(prepare)
