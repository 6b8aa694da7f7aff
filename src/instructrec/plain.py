"""Values from outside: which strings can be kept, and which numbers are whole."""

from __future__ import annotations

import re
from typing import Final

MOST_ID_CHARACTERS: Final = 256
CONTROL: Final = r"\x00-\x1f\x7f"
CONTROL_IN_TEXT: Final = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f"
"""Characters that no id and no text may hold, as in a class of a regular expression; a text has tabs and lines."""
# Half of a surrogate pair comes in as an escape in JSON, and no database takes it.
UNSTORABLE: Final = re.compile(rf"[{CONTROL}\ud800-\udfff]")
UNSTORABLE_TEXT: Final = re.compile(rf"[{CONTROL_IN_TEXT}\ud800-\udfff]")


def is_id(value: object) -> bool:
    """Whether a value can be an identifier: a string of 1 to 256 characters, none of them a control character."""
    return isinstance(value, str) and 0 < len(value) <= MOST_ID_CHARACTERS and not UNSTORABLE.search(value)


def whole(value: object) -> object:
    """The value, as an int where it is a float without a fraction: JSON knows one kind of number, and 10.0 is a whole one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
