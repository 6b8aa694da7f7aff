"""The verbs in order; the work itself is done by the parts below.

load -> clean -> split -> fit -> evaluate -> report -> save, then recommend and explain from the saved run; and what people did with
it makes the next one.
"""

from __future__ import annotations

from instructrec.pipeline.answering import Request, answer, profile, write_all
from instructrec.pipeline.comparing import CompareOptions, compare
from instructrec.pipeline.conversing import converse
from instructrec.pipeline.exporting import export
from instructrec.pipeline.instructing import ExportOptions, Written, write_instructions
from instructrec.pipeline.measuring import evaluate
from instructrec.pipeline.naming import Named, write_names
from instructrec.pipeline.reasons import explain_item, reasons_page
from instructrec.pipeline.reporting import data_facts
from instructrec.pipeline.retraining import Retrained, Terms, retrain
from instructrec.pipeline.training import Prepared, finished_run, first_place, fit, prepare, train, validate_data

__all__ = [
    "CompareOptions",
    "ExportOptions",
    "Named",
    "Prepared",
    "Request",
    "Retrained",
    "Terms",
    "Written",
    "answer",
    "compare",
    "converse",
    "data_facts",
    "evaluate",
    "explain_item",
    "export",
    "finished_run",
    "first_place",
    "fit",
    "prepare",
    "profile",
    "reasons_page",
    "retrain",
    "train",
    "validate_data",
    "write_all",
    "write_instructions",
    "write_names",
]
