"""Words to Instruction and back: understanding requests, spelling them out, their JSON form, prompts and tuning tasks."""

from instructrec.instructions.agreement import Reader
from instructrec.instructions.describing import clauses_of, describe
from instructrec.instructions.dialogue import Dialogue, refine
from instructrec.instructions.limits import instruction_from_json, instruction_to_json, limits_from_json, limits_to_json
from instructrec.instructions.parse import MAX_CHARACTERS, parse
from instructrec.instructions.profiling import Profile, profile_of, steered_by

__all__ = [
    "MAX_CHARACTERS",
    "Dialogue",
    "Profile",
    "Reader",
    "clauses_of",
    "describe",
    "instruction_from_json",
    "instruction_to_json",
    "limits_from_json",
    "limits_to_json",
    "parse",
    "profile_of",
    "refine",
    "steered_by",
]
