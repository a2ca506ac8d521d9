# Two commands do everything on a fresh machine: `make run` and `make test`.
# Both need only Python 3.11 to 3.14 and node >= 20.
PYTHONS := python3 python3.14 python3.13 python3.12 python3.11
FITS    := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))
ifndef PYTHON
PYTHON := $(shell for one in $(PYTHONS); do if $$one -c '$(FITS)' 2>/dev/null; then echo $$one; exit; fi; done; echo python3)
endif
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: help setup run test lint sbom bench lock clean check-tools

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

check-tools:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: install Python 3.11 to 3.14 (Debian: apt install python3 python3-venv)."; exit 1; }
	@# Some packages, PostgreSQL's too, are built for these alone.
	@$(PYTHON) -c '$(FITS)' || { echo "$(PYTHON) is $$($(PYTHON) -V): install Python 3.11 to 3.14, or run make PYTHON=/path/to/python3.14."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv module is missing: install it (Debian: apt install python3-venv)."; exit 1; }
	@command -v node >/dev/null || { echo "node is missing: install Node.js 20 or newer (https://nodejs.org)."; exit 1; }
	@node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' || { echo "node is older than 20: install Node.js 20 or newer."; exit 1; }
	@command -v npm >/dev/null || { echo "npm is missing: it comes with Node.js (Debian: apt install npm)."; exit 1; }

# A stamp per lock file: an unchanged lock is not installed twice.
$(VENV)/.run: locks/run.txt pyproject.toml | check-tools
	@echo "Setting up: Python packages (locked)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r locks/run.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run locks/dev.txt
	@echo "Setting up: test and lint tools (locked)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r locks/dev.txt
	@touch $@

$(VENV)/.peers: $(VENV)/.dev locks/peers.txt locks/obp.txt
	@echo "Setting up: what the benches compare with (locked)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r locks/peers.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r locks/obp.txt
	@touch $@

sdk-web/node_modules/.package-lock.json: sdk-web/package.json sdk-web/package-lock.json | check-tools
	@echo "Setting up: browser SDK tools (locked)"
	@cd sdk-web && npm ci --silent --no-audit --no-fund

sdk-web/dist/whyleft.js: sdk-web/node_modules/.package-lock.json $(shell find sdk-web/src -type f 2>/dev/null) sdk-web/build.mjs
	@cd sdk-web && npm run --silent build

tests/dialects/node/node_modules/.package-lock.json: tests/dialects/node/package-lock.json | check-tools
	@cd tests/dialects/node && npm ci --silent --no-audit --no-fund

setup: $(VENV)/.run sdk-web/dist/whyleft.js ## Install what `make run` needs into .venv and build the browser SDK

run: setup ## Start the demo: shop, server, inbox and simulated visitors (ARGS="--once --json" runs to completion)
	@$(BIN)/whyleft demo $(ARGS)

test: setup $(VENV)/.dev tests/dialects/node/node_modules/.package-lock.json ## Run all tests, on every core (ARGS="-k name" narrows them, ARGS="-n 0" runs one at a time)
	@cd sdk-web && npm run --silent check
	@$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile $(ARGS)

lint: setup $(VENV)/.dev ## Formatting, lint, strict types, import floors, known vulnerabilities
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@# The benches install obp without torch (locks/obp.txt); whatever else is missing is a mistake.
	@! $(BIN)/python -m pip check | grep -v -e '^obp .* requires torch' -e '^No broken requirements'
	@$(BIN)/python -m locks.audit

sbom: $(VENV)/.run ## Print the bill of materials (CycloneDX JSON) of what is locked
	@$(BIN)/python -m locks.bill

bench: setup $(VENV)/.peers ## Measure: prints a table per bench and writes bench/results/*.json
	@$(BIN)/python -m bench $(ARGS)

lock: ## Resolve the lock files again (needs uv on the PATH)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url pyproject.toml --group build -o locks/run.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url pyproject.toml --group build --group dev -c locks/run.txt -o locks/dev.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url pyproject.toml --group peers -c locks/dev.txt -o locks/peers.txt

clean: ## Remove what setup made (data in .whyleft stays)
	rm -rf $(VENV) sdk-web/node_modules sdk-web/dist
