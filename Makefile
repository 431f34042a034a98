# Two commands: `make demo` and `make test`. Each target sets up what it needs and is quick when nothing changed.
# Needs git, make and Python 3.11 or 3.12. PYTHON=/path/to/python chooses another one.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help demo test lint bench image format lock stop clean

PYTHON ?= $(firstword $(foreach name,python3.12 python3.11 python3,$(shell $(name) -c 'import sys, venv, ensurepip; 3.11 <= float("%d.%d" % sys.version_info[:2]) <= 3.12 and print("$(name)")' 2>/dev/null)))
UV := .uv/bin/uv
BIN := .venv/bin
UV_ENV := UV_NO_CONFIG=1 UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1

help: ## what there is to do
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

demo: .venv/ready-run ## the real flights, from raw tables to a served model with a report
	@$(BIN)/seatrial run flights || test $$? -eq 3  # 3: the gate said no, which is a result

test: .venv/ready-dev ## all tests that need no account, no network and no container engine
	@$(BIN)/python -m pytest -n auto --dist worksteal -m "not browser and not containers and not live" $(ARGS)

lint: .venv/ready-dev ## ruff, mypy, basedpyright on infra/, the import contracts and the workflows
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/basedpyright --pythonpath $(BIN)/python --warnings
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(BIN)/zizmor --offline --quiet .github/workflows

format: .venv/ready-dev ## put the code into shape
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: .venv/ready-dev ## ours beside the peers, in one run each; prints ratios
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

# ENGINE, BASE, IMAGE and PLATFORM may be set; see training/Dockerfile about the base and about what the build needs of a
# network.
ENGINE ?= $(firstword $(foreach name,podman docker,$(if $(shell command -v $(name)),$(name))))
IMAGE ?= localhost/seatrial:dev
CA ?= $(firstword $(wildcard $(SSL_CERT_FILE) /etc/ssl/certs/ca-certificates.crt))
IMAGE_ARGS = $(if $(BASE),--build-arg BASE=$(BASE)) $(if $(CA),--secret id=ca$(comma)src=$(CA)) \
  $(if $(PIP_CONFIG_FILE),--secret id=pip$(comma)src=$(PIP_CONFIG_FILE)) $(if $(PLATFORM),--platform $(PLATFORM)) \
  $(if $(filter podman,$(ENGINE)),--network host --format docker,$(DOCKERS_OWN))
# SageMaker's CreateModel takes Docker's own manifest and no OCI one, and no index, which is what provenance needs:
# https://github.com/aws/amazon-sagemaker-feedback/issues/180. podman, and Docker from 29 on, make those unless told.
DOCKERS_OWN = --provenance=false --output type=docker$(comma)oci-mediatypes=false
comma := ,

# the commit is written into the Dockerfile's text: podman's cache looks at that, and not at the value of an argument
image: ## the project's container image, with podman or docker; prints its name and id
	@test -n "$(ENGINE)" || { echo "make image: podman or docker is needed (on Debian: .ci/containers.sh installs podman)"; exit 1; }
	@commit=$$(git rev-parse HEAD)-$$(test -z "$$(git status --porcelain)" && echo clean || echo dirty); \
	sed "s/\$${GIT_COMMIT}/$$commit/" training/Dockerfile | $(ENGINE) build -q -f - -t $(IMAGE) $(IMAGE_ARGS) . >/dev/null
	@$(ENGINE) image inspect --format '$(IMAGE) {{.Id}}' $(IMAGE)

stop: .venv/ready-run ## end every endpoint that `make demo` left running
	@$(BIN)/seatrial endpoint stop --all

lock: .uv/ready ## resolve requirements/ anew, after pyproject.toml changed
	@for part in run dev; do \
	  extras="--extra pipelines --extra train --extra serve --extra local --extra aws --extra gcp --extra build"; \
	  test $$part = run || extras="$$extras --extra rehearse --extra infra --extra dev"; \
	  $(UV_ENV) $(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	    --custom-compile-command "make lock" $$extras pyproject.toml -o requirements/$$part.txt || exit 1; \
	done

clean: ## remove the virtual environments and everything that runs left behind
	rm -rf .venv .uv .seatrial

.uv/ready: requirements/uv.txt
	@test -n "$(PYTHON)" || { echo "make: Python 3.11 or 3.12 with venv is needed (on Debian: apt install python3-venv), or PYTHON=/path/to/python"; exit 1; }
	@echo "setting up uv" && rm -rf .uv && $(PYTHON) -m venv .uv
	@.uv/bin/python -m pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements/uv.txt
	@touch $@

# a stamp: the interpreter in a virtual environment is a link, as old as what it points to
.venv/made: .uv/ready
	@$(UV_ENV) $(UV) venv -q --clear --python .uv/bin/python .venv && touch $@

.venv/ready-run: .venv/made requirements/run.txt pyproject.toml
	@test -e .venv/ready-dev || { echo "installing what the demo needs (about 1 GB, once)"; \
	  $(UV_ENV) $(UV) pip sync -q --python $(BIN)/python --require-hashes requirements/run.txt; \
	  $(UV_ENV) $(UV) pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .; }
	@touch $@

.venv/ready-dev: .venv/made requirements/dev.txt pyproject.toml
	@echo "installing what development needs (about 1.2 GB, once)"
	@$(UV_ENV) $(UV) pip sync -q --python $(BIN)/python --require-hashes requirements/dev.txt
	@$(UV_ENV) $(UV) pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@ .venv/ready-run
