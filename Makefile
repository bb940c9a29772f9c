# Synnefo: every task of a developer, a line each. "make run" and "make test" are all one needs.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PORT ?= 8000
DATA ?= var/demo
# Processes that share the tests: more than cores, since many tests wait for servers and guests.
WORKERS ?= 4

.PHONY: run test lint format docs pictures bench lab burnin soak clean

# Installed once, and again whenever the list of dependencies changes.
$(VENV)/.run: setup.py constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.test: setup.py constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $(VENV)/.run $@

## run: a whole cloud on this machine, at http://127.0.0.1:$(PORT)/
run: $(VENV)/.run
	@$(BIN)/python -m synnefo.demo --port $(PORT) --data $(DATA)

# Login by LDAP needs headers that come with the system packages, so it is built after them.
$(VENV)/.ldap: $(VENV)/.test
	if [ -e /usr/include/ldap.h ]; then $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[ldap]'; fi
	touch $@

.PHONY: packages
packages: $(VENV)/.test
	tests/lab/install_packages.sh
	$(MAKE) --no-print-directory $(VENV)/.ldap

## test: install what the tests need, start private servers, run everything
test: packages
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n $(WORKERS) --dist loadscope $(PYTEST_ARGS)

## lint: style, types and layering
lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports

## format: rewrite the tree in the house style
format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

## docs: write the generated references and configuration samples again
docs: $(VENV)/.run
	$(BIN)/python manage.py docs-generate

## pictures: take the documentation's pictures from the running demo ("make run" in another terminal)
pictures: $(VENV)/.test
	$(BIN)/python -m tests.pictures --data $(DATA)

## bench: print the benchmarks' table and write var/bench/results.json
bench: packages
	tests/lab/install_packages.sh --peers
	$(BIN)/python -m tests.benchmarks

## lab: the same cloud over PostgreSQL, RabbitMQ, memcached and a real Ganeti
lab: packages
	$(BIN)/python -m tests.lab

## burnin: the acceptance test against a cloud of two real Ganeti clusters with QEMU guests
burnin: packages
	$(BIN)/python -m tests.lab.burnin $(BURNIN_ARGS)

## soak: random operations while processes are killed, for an hour (SOAK_ARGS="--minutes 600 --seed …")
soak: packages
	$(BIN)/python -m tests.chaos $(SOAK_ARGS)

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
