# The commands of this checkout. Everything is installed into .venv here, from pinned wheels; nothing else changes.
#   make demo     a spoken conversation on local models (CALLERS=DIR: your own recordings)
#   make talk     the same agent in your browser, with you as the customer (ARGS="--open", "--host 0.0.0.0 --tls", ...)
#   make test     all tests, with the small local models
#   make test-faults   faults, many times over, as a table (ARGS="--trials 1000", ...)
#   make lint     style and types
#   make bench    the figures, side by side with the peers (about 15 minutes)
#   make bench-webrtc   calls over WebRTC, beside aiortc (about 15 minutes)
#   make bench-workers  workers in LiveKit rooms, beside livekit-agents (about 40 minutes; needs Go once)
#   make bench-providers   recognition over sockets, beside LiveKit's plugin and the vendor's library (about 5 minutes)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SMALL_MODELS := silero-vad smart-turn-v3.2 moonshine-base-en piper-joe smollm2-135m
DEFAULT_MODELS := silero-vad smart-turn-v3.2 moonshine-base-en piper-joe qwen2.5-coder-1.5b

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONUNBUFFERED := 1

.DEFAULT_GOAL := help
.PHONY: help demo talk test test-faults lint format bench bench-webrtc bench-workers bench-providers lock clean

help:
	@sed -n 's/^#   //p' Makefile

$(VENV)/installed: constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Antiphon needs Python 3.11 or newer; '$(PYTHON)' is not. Try: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@echo "Installing Antiphon and its dependencies into $(VENV) (about 200 MB to fetch, 700 MB on disk)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { \
	  echo "The module venv is missing. On Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --require-hashes -r constraints.txt
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

demo: $(VENV)/installed
	@$(BIN)/python examples/coffee/demo.py $(if $(CALLERS),--callers "$(CALLERS)") < /dev/null

talk: $(VENV)/installed
	@$(BIN)/antiphon models pull $(DEFAULT_MODELS) < /dev/null
	@$(BIN)/python examples/coffee/agent.py dev $(ARGS)

test: $(VENV)/installed
	@$(BIN)/antiphon models pull $(SMALL_MODELS) < /dev/null
	@PATH="$(CURDIR)/$(BIN):$$PATH" scripts/test $(ARGS)

test-faults: $(VENV)/installed
	@PATH="$(CURDIR)/$(BIN):$$PATH" scripts/test-faults $(ARGS)

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/installed
	@$(BIN)/antiphon models pull $(SMALL_MODELS) < /dev/null
	@PYTHON=$(CURDIR)/$(BIN)/python benchmarks/peers/setup
	@$(BIN)/python benchmarks/run.py $(ARGS)

bench-webrtc: $(VENV)/installed
	@$(BIN)/antiphon models pull silero-vad < /dev/null
	@PYTHON=$(CURDIR)/$(BIN)/python benchmarks/peers/setup aiortc
	@mkdir -p benchmarks/out
	@$(BIN)/python benchmarks/webrtc.py --out benchmarks/out/webrtc.json $(ARGS)

bench-workers: $(VENV)/installed
	@$(BIN)/antiphon models pull silero-vad < /dev/null
	@PYTHON=$(CURDIR)/$(BIN)/python benchmarks/peers/setup livekit aiortc
	@scripts/install-test-servers
	@$(BIN)/python benchmarks/workers.py $(ARGS)

bench-providers: $(VENV)/installed
	@PYTHON=$(CURDIR)/$(BIN)/python scripts/install-livekit-plugins
	@PYTHON=$(CURDIR)/$(BIN)/python scripts/install-vendor-sdks
	@mkdir -p benchmarks/out
	@$(BIN)/python benchmarks/providers.py --out benchmarks/out/providers.json $(ARGS)

lock:
	scripts/lock

clean:
	rm -rf $(VENV) .cache build dist demo-out benchmarks/out benchmarks/peers/.venv-* .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis
