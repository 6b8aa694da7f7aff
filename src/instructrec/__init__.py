"""Instruction-tune a language model on interactions; it recommends real items, follows words, and says why.

The names below are loaded when they are first used, so that `import instructrec` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from instructrec.core import Explanation, Instruction, Query, Recommendation
    from instructrec.data import load
    from instructrec.data.split import SplitConfig, split
    from instructrec.errors import InstructRecError
    from instructrec.instructions import parse
    from instructrec.models import resolve
    from instructrec.recommender import Recommender
    from instructrec.runs import Run
    from instructrec.tables import Catalog, Dataset, Interactions

__version__ = "0.1.0"

_HOMES = {
    "Catalog": "tables",
    "Dataset": "tables",
    "Explanation": "core",
    "Instruction": "core",
    "InstructRecError": "errors",
    "Interactions": "tables",
    "Query": "core",
    "Recommendation": "core",
    "Recommender": "recommender",
    "Run": "runs",
    "SplitConfig": "data.split",
    "load": "data",
    "parse": "instructions",
    "resolve": "models",
    "split": "data.split",
}

__all__ = [
    "Catalog",
    "Dataset",
    "Explanation",
    "InstructRecError",
    "Instruction",
    "Interactions",
    "Query",
    "Recommendation",
    "Recommender",
    "Run",
    "SplitConfig",
    "__version__",
    "load",
    "parse",
    "resolve",
    "split",
]


def __getattr__(name: str) -> Any:
    """Load a public name from the module it lives in (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'instructrec' has no attribute '{name}'")
    value = getattr(import_module(f"instructrec.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, also those that are not loaded yet."""
    return sorted(__all__)
