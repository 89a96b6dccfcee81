# SPDX-License-Identifier: Apache-2.0
#
# Two commands matter on a fresh clone: `make demo` and `make test`. Both do all their set-up themselves.

PYTHON ?= python3
VENV := .venv
TOX := .tox/launcher/bin/tox
DECLARATIONS := setup.cfg setup.py pyproject.toml

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo test lint docs unit model contract functional crash bench libvirt manila genconfig \
	system-packages system-packages-libvirt clean

help: ## list what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 18

demo: $(VENV)/.installed ## shares and snapshots on this machine, with a kill -9 in the middle
	@$(VENV)/bin/manila-lite demo

test: system-packages $(TOX) ## everything: lint, docs, unit, model, contract, functional, crash
	@$(PYTHON) tools/with-servers $(TOX) run -e lint,docs,test

lint: ## ruff, mypy, import-linter; the sample configuration is current
docs: ## build the documentation into docs/_build/html
unit: ## tests without I/O
model: ## state machines of the journal, lanes, leases and fences
contract: ## every driver, every database
functional: ## real broker, databases and file systems
crash: ## kill -9 at every crash point
libvirt: system-packages-libvirt ## volumes that guests of libvirt hold; not part of test
manila: ## Manila's own drivers, from the manila package; not part of test
bench: ## casts per second, waiting operations, start-up, memory
genconfig: ## write the sample configuration anew

lint docs unit genconfig libvirt manila: $(TOX)
	@$(TOX) run -e $@

model contract functional crash bench: $(TOX)
	@$(PYTHON) tools/with-servers $(TOX) run -e $@

system-packages: ## install the Debian packages of bindep.txt, or say which are missing
	@$(PYTHON) tools/system-packages test

# libvirt's driver looks that user up before it reads which one to use. Debian makes it with the
# package of the system's libvirtd, which the tests do not need.
system-packages-libvirt:
	@$(PYTHON) tools/system-packages test-libvirt
	@id libvirt-qemu >/dev/null 2>&1 || useradd --system --user-group --no-create-home libvirt-qemu \
		|| echo "As root, run: useradd --system --user-group --no-create-home libvirt-qemu"

clean: ## remove environments, caches and built documentation
	rm -rf $(VENV) .tox docs/_build docs/reference/generated build dist *.egg-info
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.installed: $(DECLARATIONS)
	@$(PYTHON) tools/system-packages
	@echo "Preparing $(VENV) (only the first time) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --editable .
	@touch $@

$(TOX):
	@$(PYTHON) tools/system-packages
	@echo "Preparing tox (only the first time) ..."
	@$(PYTHON) -m venv .tox/launcher
	@.tox/launcher/bin/pip install --quiet 'tox>=4.11'
	@touch $@
