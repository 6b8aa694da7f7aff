"""The reference pages of the documentation, made from the same definitions as the commands and settings themselves.

`python -m instructrec.cli.reference` writes docs/cli.md and docs/config.md, and the presets.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

BESIDE = 'beside=["popular","item_knn","ease"]'
LIGHT = 'fusion.parts=["ridge","als","lm","bm25","themes"]'
PRESETS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "quick": (
        "`instructrec demo --quick`: the whole road in under 90 seconds on two cores, with little training.",
        (BESIDE, LIGHT, "lm.epochs=1", "lm.layers=4"),
    ),
    "default": ("`instructrec demo`: under 5 minutes on two cores.", (BESIDE, LIGHT, "lm.epochs=2")),
    "full": ("`instructrec demo --full`: trains to the best numbers, in at most 15 minutes on two cores.", (BESIDE,)),
}
"""What each preset is for, and what it decides; all else is what the settings of the models are by default."""
MADE = "Made by `python -m instructrec.cli.reference`; do not edit.\n"


def cli_page() -> str:
    """All commands with their options, as Markdown."""
    import typer.main

    from instructrec.cli import app

    group: Any = typer.main.get_command(app)
    lines = ["# Commands", "", MADE]
    for name, command in _commands(group, "instructrec"):
        lines += [
            f"## {name}",
            "",
            inspect.cleandoc(command.help or ""),
            "",
            "| option | meaning | default |",
            "|---|---|---|",
        ]
        lines += [_option(parameter) for parameter in command.params if parameter.name != "help"]
        lines.append("")
    return "\n".join(lines)


def _commands(group: Any, before: str) -> Iterator[tuple[str, Any]]:
    """Every command with all of its name, those of groups behind their group."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{before} {name}")
        else:
            yield f"{before} {name}", command


def config_page() -> str:
    """All settings with their types and defaults, as Markdown."""
    from instructrec.config import UNDERSTANDING, WRITING, RunConfig, settings_type
    from instructrec.models import MODELS

    lines = ["# Settings", "", MADE, "A TOML file, or `--set table.key=value`. A key that does not exist is an error.", ""]
    for title, kind in [("", RunConfig), *((name, settings_type(name)) for name in (*MODELS, UNDERSTANDING, WRITING))]:
        lines += _tables(title, kind) if kind is not None else []
    return "\n".join(lines)


def field_help(kind: type[Any]) -> dict[str, str]:
    """What each field of a settings class means: its `help` metadata, or the string below it in the source."""
    found: dict[str, str] = {}
    for part in reversed(kind.__mro__):
        if dataclasses.is_dataclass(part):
            found |= _strings_below(part)
    found |= {entry.name: str(entry.metadata["help"]) for entry in dataclasses.fields(kind) if "help" in entry.metadata}
    return found


def _tables(title: str, kind: type[Any]) -> list[str]:
    """The table of one settings class, and below it those of the settings classes inside."""
    about, inner = field_help(kind), []
    lines = [f"## {f'[{title}]' if title else 'At the top'}", "", "| key | meaning | default |", "|---|---|---|"]
    for entry in dataclasses.fields(kind):
        default = _default(entry)
        if dataclasses.is_dataclass(default):
            inner += _tables(f"{title}.{entry.name}" if title else entry.name, type(default))
        elif entry.name != "settings":
            lines.append(f"| `{entry.name}` | {_cell(about.get(entry.name, ''))} | `{_cell(_toml(default))}` |")
    return [*lines, "", *inner]


def _default(entry: dataclasses.Field[Any]) -> Any:
    if entry.default_factory is not dataclasses.MISSING:
        return entry.default_factory()
    return None if entry.default is dataclasses.MISSING else entry.default


def _toml(value: Any) -> str:
    from instructrec.config.toml_text import dump

    if value is None:
        return "none"
    plain = list(value) if isinstance(value, tuple | frozenset) else value
    return "{}" if isinstance(plain, Mapping) else dump({"v": plain}).removeprefix("v = ").strip()


def _strings_below(kind: type[Any]) -> dict[str, str]:
    [body] = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    return dict(_pairs(body)) if isinstance(body, ast.ClassDef) else {}


def _pairs(body: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, below in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr):
            value = below.value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield field.target.id, " ".join(value.value.split())


def _option(parameter: Any) -> str:
    names = ", ".join((*parameter.opts, *parameter.secondary_opts)) if parameter.param_type_name == "option" else parameter.metavar
    takes = f" {parameter.metavar}" if parameter.metavar and parameter.param_type_name == "option" else ""
    default = parameter.show_default if isinstance(parameter.show_default, str) else parameter.default
    shown = "" if default in (None, False, "") or callable(default) else str(default)
    needed = "required" if parameter.required else shown
    return f"| `{_cell(names + takes)}` | {_cell(getattr(parameter, 'help', None) or '')} | {_cell(needed)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def preset_text(name: str) -> str:
    """A preset as its file has it: what it decides (`PRESETS`), and every other key at its default, so that it alone says all."""
    from instructrec import config

    about, sets = PRESETS[name]
    return f"# {about}\n{config.dump(config.from_toml('', sets))}"


def main() -> None:
    """Write both pages into docs/, and the presets."""
    root, package = Path(__file__).resolve().parents[3], Path(__file__).resolve().parents[1]
    (root / "docs").mkdir(exist_ok=True)
    for name, page in (("cli.md", cli_page()), ("config.md", config_page())):
        (root / "docs" / name).write_text(page, encoding="utf-8")
    for name in PRESETS:
        (package / "config" / "presets" / f"{name}.toml").write_text(preset_text(name), encoding="utf-8")


if __name__ == "__main__":
    main()
