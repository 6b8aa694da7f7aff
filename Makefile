PYTHON ?= python

.PHONY: check test docs

check:  ## format, lint, types, layers: what CI runs after the tests
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy --strict src
	$(PYTHON) -c "from importlinter.cli import lint_imports_command as run; run()"

test:  ## the whole suite
	$(PYTHON) -m pytest

docs:  ## docs/cli.md, docs/config.md and the presets, from the definitions in the code
	$(PYTHON) -m instructrec.cli.reference
