# Each target does all set-up itself: a virtual environment in .venv with everything in pyproject.toml.
#   make demo    one visit after the other, from rendered frames to settled receipts
#   make test    lint, types, import contracts and tests
#   make bench   how fast everything is, as ratios, in one go
#   make scoreboard  the gauntlet on its fixed seeds; writes tests/scoreboard.json anew, on purpose
#   make golden  every committed recording in every way: speeds, orders, brokers; takes minutes
#   make recordings  plays the stories of the committed recordings anew
#   make chaos   receipts stay the same while service, broker and database are killed at random moments; minutes
#   make fuzz    mutated payloads through the codec and mutated feeds through the service; some minutes
#   make soak    a store for four hours at 120 shoppers an hour; then the vision worker over 30,000 frames, of the run
#                that make bench left

.PHONY: demo test bench scoreboard chaos fuzz soak setup clean golden recordings
.DEFAULT_GOAL := demo
SHELL := /bin/bash

BIN := .venv/bin
STAMP := .venv/.installed
export PIP_DISABLE_PIP_VERSION_CHECK := 1

demo: $(STAMP)
	$(BIN)/smartstore sim run configs/scenarios/corner-quiet.yaml --fidelity frames --out data/runs/demo

test: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	@$(BIN)/mypy & types=$$!; $(BIN)/python -m pytest -q -n logical --maxprocesses 4 --dist loadfile; code=$$?; \
	wait $$types || code=1; exit $$code

bench: $(STAMP)
	$(BIN)/python -m sims.lab.bench

scoreboard: $(STAMP)
	$(BIN)/python -m sims.lab.scoreboard

chaos: $(STAMP)
	$(BIN)/python -m sims.lab.chaos

fuzz: $(STAMP)
	$(BIN)/python -m tests.fuzz

soak: $(STAMP)
	$(BIN)/python -m sims.lab.soak
	$(BIN)/python -m sims.lab.vision_bench --frames 30000

golden: $(STAMP)
	SMARTSTORE_GOLDEN=all $(BIN)/python -m pytest -q tests/test_golden.py

recordings: $(STAMP)
	$(BIN)/python -m sims.lab.recordings

setup: $(STAMP)

$(STAMP): pyproject.toml
	@set -euo pipefail; \
	if [[ ! -x $(BIN)/python ]]; then \
	  python=""; \
	  for name in $${PYTHON:-} python3 python3.13 python3.12 python3.11; do \
	    if command -v "$$name" >/dev/null && "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then python="$$name"; break; fi; \
	  done; \
	  if [[ -z "$$python" ]]; then echo "smartstore needs Python 3.11 or newer: install it, or say make PYTHON=/path/to/python3" >&2; exit 2; fi; \
	  if ! "$$python" -c 'import venv, ensurepip' 2>/dev/null; then \
	    echo "$$python has no venv module: install it (Debian, Ubuntu: apt-get install python3-venv)" >&2; exit 2; fi; \
	  "$$python" -m venv .venv; \
	fi; \
	case "$$(uname -s)-$$(uname -m)" in \
	  Linux-x86_64) torch="torch==2.14.1 torchvision==0.29.1";; \
	  Linux-aarch64) torch="torch==2.9.1 torchvision==0.24.1";; \
	  *) torch="torch torchvision";; \
	esac; \
	$(BIN)/python -c 'import torch, torchvision' 2>/dev/null || $(BIN)/python -m pip install --quiet $$torch; \
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	@touch $@

clean:
	rm -rf .venv build *.egg-info
