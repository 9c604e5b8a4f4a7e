# Two commands do all the set-up: `make demo` and `make test`. Everything lands in .venv.
PYTHON      ?= python3
VENV        := .venv
BIN         := $(VENV)/bin
CONSTRAINTS ?= constraints.txt
PACKAGES    := bwrap:bubblewrap git:git
SERVICES    := /usr/bin/gpg:gnupg /usr/bin/gpgv:gpgv /usr/lib/postgresql/*/bin/initdb:postgresql /usr/sbin/slurmctld:slurm-wlm /bin/busybox:busybox /usr/bin/openssl:openssl /usr/bin/chromium:chromium

.DEFAULT_GOAL := help
.PHONY: help install system services demo test lint types layers unit clean

help:
	@echo "make demo     install what is missing and grade a small class"
	@echo "make install  only install; the command is then $(BIN)/grader, or grader after . $(BIN)/activate"
	@echo "make test     install what is missing and run every quality gate"
	@echo "make clean    remove the environment and the caches"

# What is missing is installed when we may, and named when we may not.
system:
	@missing=""; \
	for pair in $(PACKAGES); do command -v $${pair%%:*} >/dev/null 2>&1 || missing="$$missing $${pair##*:}"; done; \
	PATH="$$PATH:/usr/sbin:/sbin" ldconfig -p 2>/dev/null | grep -q libseccomp.so.2 || missing="$$missing libseccomp2"; \
	$(PYTHON) -c "import ensurepip, venv" 2>/dev/null || missing="$$missing python3-venv"; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if ! command -v apt-get >/dev/null 2>&1; then \
	  echo "missing:$$missing; this system has no apt-get, install them with its own package manager"; exit 2; fi; \
	if [ "$$(id -u)" = 0 ]; then run=""; elif sudo -n true 2>/dev/null; then run="sudo"; else \
	  echo "missing:$$missing; ask an administrator for: apt-get install$$missing"; exit 2; fi; \
	echo "installing$$missing"; $$run apt-get update -qq && $$run apt-get install -y -qq $$missing >/dev/null

# Servers and tools that only tests start. The gate installs them where it may; elsewhere their tests are skipped.
services:
	@missing=""; \
	for pair in $(SERVICES); do ls $${pair%%:*} >/dev/null 2>&1 || missing="$$missing $${pair##*:}"; done; \
	if [ -z "$$missing" ] || ! command -v apt-get >/dev/null 2>&1; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ]; then run=""; elif sudo -n true 2>/dev/null; then run="sudo"; else exit 0; fi; \
	echo "installing$$missing for the tests"; \
	{ $$run apt-get update -qq && $$run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
	  --no-install-recommends $$missing; } >/dev/null 2>&1 || echo "not installed:$$missing; its tests are skipped"

$(VENV)/installed: pyproject.toml $(CONSTRAINTS) | system
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e '.[dev,rgb,postgres,gpu]'
	@touch $@

install: $(VENV)/installed

demo: install
	@$(BIN)/grader demo

test: lint types layers unit

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: install
	$(BIN)/mypy

layers: install
	PATH="$(CURDIR)/$(BIN):$$PATH" lint-imports

unit: install
	$(BIN)/coverage erase
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-report=term

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.*
