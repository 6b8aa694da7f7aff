"""Words to Instruction and back: understanding requests, spelling out limits, rendering prompts and tuning tasks."""

from instructrec.instructions.limits import describe, limits_from_json, limits_to_json
from instructrec.instructions.parse import MAX_CHARACTERS, parse

__all__ = ["MAX_CHARACTERS", "describe", "limits_from_json", "limits_to_json", "parse"]
