"""What is loaded when: heavy libraries only where they are used, so that starting is quick."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "peft")


def loaded_after(code: str) -> set[str]:
    """Top-level modules in a fresh process after running the code."""
    report = "import sys; print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.__stdout__)"
    found = subprocess.run([sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True)
    return set(found.stdout.splitlines()[-1].split())


def test_import_of_the_package_loads_nothing_heavy():
    assert not loaded_after("import instructrec") & {*HEAVY, "numpy", "scipy", "pyarrow", "rich", "typer", "jinja2", "sqlalchemy"}


def test_command_line_without_work_loads_nothing_heavy():
    code = "from instructrec.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass"
    assert not loaded_after(code) & {*HEAVY, "numpy", "scipy", "pyarrow", "jinja2", "sqlalchemy"}


@pytest.mark.parametrize(
    "name",
    [
        "core",
        "data",
        "journal.store",
        "instructions",
        "evaluation",
        "explain",
        "experiments",
        "config",
        "runs",
        "wire",
        "pipeline",
        "cli",
        "doctor",
    ],
)
def test_no_torch_behind(name):
    assert not loaded_after(f"import instructrec.{name}") & set(HEAVY)


def test_events_and_states_need_no_database():
    assert not loaded_after("import instructrec.journal, instructrec.journal.state") & {*HEAVY, "numpy", "sqlalchemy", "alembic"}


def test_closed_form_models_run_without_torch():
    code = (
        "from instructrec import config, pipeline\n"
        "pipeline.compare(config.from_toml('', ['data.source=synthetic-chain', 'model=ridge']), ['popular', 'ease', 'ridge'])"
    )
    assert not loaded_after(code) & set(HEAVY)
