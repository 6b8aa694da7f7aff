"""Values as Python prints them, which some published files hold instead of JSON."""

from __future__ import annotations

import ast
import warnings
from typing import Any


def python_literal(text: str) -> Any:
    """The value of a text such as "{'asin': 'B01', 'price': 3.5}"; nothing in it is run. Raises ValueError for anything else."""
    try:
        with warnings.catch_warnings():  # "\\d" in a description is worth no warning
            warnings.simplefilter("ignore")
            return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as problem:
        raise ValueError(f"not a value as Python prints it ({type(problem).__name__})") from problem
