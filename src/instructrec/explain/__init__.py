"""Why an item was recommended: attribute, select, verbalise, verify. No text is shown before each of its claims was checked."""

from instructrec.explain.attribution import Attribution, attribute
from instructrec.explain.counterfactual import counterfactuals
from instructrec.explain.explaining import explain, explain_batch
from instructrec.explain.influence import Influence, influence_on, measure_influence
from instructrec.explain.manner import Manner, TextModel
from instructrec.explain.practice import lessons
from instructrec.explain.writing import Writer

__all__ = [
    "Attribution",
    "Influence",
    "Manner",
    "TextModel",
    "Writer",
    "attribute",
    "counterfactuals",
    "explain",
    "explain_batch",
    "influence_on",
    "lessons",
    "measure_influence",
]
