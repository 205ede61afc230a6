# Everything a person does with this repository. Needs Python 3.11 or newer, with its venv module, and nothing else.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash

PY ?= python3
VENV ?= .venv
DATA ?= $(or $(AIGC_DATA_DIR),.data)
PORT ?= 8000
ONLY ?=
RUN := $(VENV)/bin
TEMPLATES = $(shell git ls-files 'templates/*.html' '*/templates/*.html')
DEMO_ENV = AIGC_DATA_DIR="$(abspath $(DATA))" AIGC_PORTAL_ORIGIN=http://portal.localhost:$(PORT) \
	AIGC_ENGINES_DOMAIN=engines.localhost:$(PORT) AIGC_PORTAL_BIND=127.0.0.1:$(shell expr $(PORT) + 1)
BESIDE_SERVICES = $(RUN)/python -m aigc_portal.embedded.run
# Vulnerabilities that do not concern the portal: `--ignore-vuln ID` for each, argued in docs/adr/0014-audits.md.
AUDIT_IGNORED =
# As in production, so that `check --deploy` judges what an operator would run.
DEPLOY_ENV = AIGC_DEBUG=off AIGC_SECRET_KEY=$$($(RUN)/python -c 'import secrets; print(secrets.token_urlsafe(64))') \
	AIGC_ENCRYPTION_KEYS=$$($(RUN)/python -c 'import secrets; print(secrets.token_urlsafe(48))') \
	AIGC_PORTAL_ORIGIN=https://portal.example.com AIGC_ENGINES_DOMAIN=engines.example.net AIGC_EMAIL_URL=smtp+tls://mail.example.com:587

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "Variables: PY=$(PY) VENV=$(VENV) DATA=$(DATA) PORT=$(PORT)"

demo: $(VENV)/.runs ## Set up and run the whole product; DATA=directory and PORT=number choose where
	@exec env $(DEMO_ENV) $(RUN)/python manage.py demo

test: $(VENV)/.ready $(VENV)/gradio/.ready ## Run the tests in parallel on services of their own; ARGS="-k launch" passes options
	@$(RUN)/pytest -n auto $(ARGS)

chaos: $(VENV)/.ready $(VENV)/gradio/.ready ## Kill everything everywhere, for minutes; `make test` runs the quick part of it
	@$(RUN)/pytest tests/chaos tests/kubernetes/test_storm.py -m "chaos_full or not chaos_full" $(ARGS)

cluster: $(VENV)/.ready ## Test on the Kubernetes cluster that KUBECONFIG names; see tests/cluster/conftest.py
	@$(RUN)/pytest tests/cluster -m cluster $(ARGS)

check: check-code check-templates check-django ## Everything but the tests: format, types, layers, templates, migrations, settings

check-code check-templates check-django: $(VENV)/.ready

check-code:
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy aigc_portal tenants engines gateway billing cli/aigc
	PYTHONPATH=cli $(RUN)/lint-imports

check-templates:
	$(if $(TEMPLATES),$(RUN)/djade --target-version 5.2 --check $(TEMPLATES))
	$(if $(TEMPLATES),$(RUN)/djlint --quiet --lint $(TEMPLATES))

check-django:
	$(BESIDE_SERVICES) $(RUN)/python manage.py makemigrations --check --dry-run
	$(BESIDE_SERVICES) $(RUN)/python manage.py check --fail-level WARNING
	@echo manage.py check --deploy, with the variables of a production
	@$(DEPLOY_ENV) $(BESIDE_SERVICES) $(RUN)/python manage.py check --deploy --fail-level WARNING

audit: $(VENV)/.ready ## Ask PyPI whether any pinned package has a known vulnerability; needs PyPI itself, not a mirror of its files
	@$(RUN)/pip-audit --strict --disable-pip --no-deps --progress-spinner off --vulnerability-service pypi $(AUDIT_IGNORED) \
		--requirement requirements.txt --requirement requirements-dev.txt --requirement constraints.txt \
		|| { echo "Not audited, or not clean: see above. docs/adr/0014-audits.md says what to do." >&2; exit 1; }

bench: $(VENV)/.ready ## Measure, print a table and write bench/results.json; ONLY=name runs one
	@$(RUN)/python -m bench $(ONLY)

format: $(VENV)/.ready ## Format code and templates
	$(RUN)/ruff check --fix .
	$(RUN)/ruff format .
	$(if $(TEMPLATES),$(RUN)/djade --target-version 5.2 $(TEMPLATES))

messages: $(VENV)/.ready ## Collect and compile translations; needs gettext
	$(RUN)/python manage.py makemessages --locale zh_Hans --no-obsolete --no-wrap --add-location file --ignore $(VENV) --ignore $(DATA)
	$(RUN)/python manage.py compilemessages --locale zh_Hans --ignore $(VENV) --ignore $(DATA)

clean: ## Remove the environment and caches; the data in DATA stays
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis staticfiles
	find . -name __pycache__ -not -path './$(DATA)/*' -prune -exec rm -rf {} +

# Recipes do not say what pip says, unless it fails.
PIP_INSTALL = $(RUN)/python -m pip install --quiet --quiet --disable-pip-version-check --requirement

$(VENV)/.runs: requirements.txt
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PY=python3.12 ..." >&2; exit 1; }
	@$(PY) -c 'import ensurepip, venv' || { echo "$(PY) lacks its venv module (Debian, Ubuntu: apt-get install python3-venv)." >&2; exit 1; }
	@echo "Setting up $(VENV)"
	@test -x $(RUN)/python || $(PY) -m venv $(VENV)
	@$(PIP_INSTALL) requirements.txt
	@touch $@

$(VENV)/.ready: $(VENV)/.runs requirements-dev.txt
	@echo "Adding the tools for tests and checks"
	@$(PIP_INSTALL) requirements-dev.txt
	@touch $@

$(VENV)/gradio/.ready: tests/gradio_app/requirements.txt tests/gradio_app/constraints.txt | $(VENV)/.runs
	@echo "Setting Gradio up, which the tests ask as an engine"
	@test -x $(VENV)/gradio/bin/python || $(PY) -m venv $(VENV)/gradio
	@$(VENV)/gradio/bin/python -m pip install --quiet --quiet --disable-pip-version-check --requirement $<
	@touch $@

.PHONY: help demo test chaos cluster check check-code check-templates check-django audit bench format messages clean
