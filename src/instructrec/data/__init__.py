"""Data: sources, cleaning, splits and synthetic worlds."""

from instructrec.data.cleaning import CleaningConfig
from instructrec.data.options import LoadOptions
from instructrec.data.report import CleaningReport, CleaningStep
from instructrec.data.sources import NAMES, Loaded, load
from instructrec.data.split import Holdout, Split, SplitConfig, split

__all__ = [
    "NAMES",
    "CleaningConfig",
    "CleaningReport",
    "CleaningStep",
    "Holdout",
    "LoadOptions",
    "Loaded",
    "Split",
    "SplitConfig",
    "load",
    "split",
]
