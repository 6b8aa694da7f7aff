"""What single values of a body may be. JSON has types, so nothing is guessed: "3" is no number and 1 is not true."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, TypeAdapter
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from instructrec.plain import CONTROL, CONTROL_IN_TEXT, MOST_ID_CHARACTERS, whole


class Strict(BaseModel):
    """A body without unknown fields: a misspelt one is an error and not silence."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class ShownAs:
    """Marks a value whose shape the OpenAPI shows, but which is read elsewhere: by what judges each row or says more of a fault."""

    def __init__(self, shape: Any) -> None:
        self._shape = TypeAdapter(shape)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(self._shape.core_schema)


def _plain(value: Any) -> Any:
    """A value that can be sent back as JSON."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise ValueError("holds a number that is none, half of a surrogate pair, or more levels than can be read") from None
    return value


Plain = AfterValidator(_plain)
Whole = BeforeValidator(whole)
"""Behind `int` and its bounds."""
Id = Annotated[str, Field(min_length=1, max_length=MOST_ID_CHARACTERS, pattern=f"^[^{CONTROL}]+$")]
Words = Annotated[str, Field(max_length=2000)]
Kept = Field(pattern=f"^[^{CONTROL_IN_TEXT}]*$")
"""What a text must be that is written to a database."""
KeptWords = Annotated[Words, Kept]
Language = Literal["en", "zh"]
