"""Comparing versions on live users: who gets which, what it changed and how sure that is, interleaving, off-policy estimates.

Pure functions of numbers: no web, no database, no clock.
"""

from instructrec.evaluation.intervals import Interval
from instructrec.experiments.assignment import HASH_VERSION, Assignment, Exposure, assign, exposure_of, hash_of
from instructrec.experiments.design import Arm, Experiment, Guardrail
from instructrec.experiments.interleaving import Interleaved, Preference, preference, team_draft
from instructrec.experiments.metrics import CREDITED, METRICS, Event, Metric, pre_period
from instructrec.experiments.offpolicy import Estimate, Exploration, doubly_robust, importance_weights, ips, snips
from instructrec.experiments.other_policy import OtherPolicy, Replayed, other_policy
from instructrec.experiments.policies import Logged, WhatIf, what_if
from instructrec.experiments.preferring import Draft, Preferences, preferences
from instructrec.experiments.results import ArmMetric, GuardrailCheck, Results, Row, Verdict, results
from instructrec.experiments.splits import SplitCheck
from instructrec.experiments.statistics import Moments

__all__ = [
    "CREDITED",
    "HASH_VERSION",
    "METRICS",
    "Arm",
    "ArmMetric",
    "Assignment",
    "Draft",
    "Estimate",
    "Event",
    "Experiment",
    "Exploration",
    "Exposure",
    "Guardrail",
    "GuardrailCheck",
    "Interleaved",
    "Interval",
    "Logged",
    "Metric",
    "Moments",
    "OtherPolicy",
    "Preference",
    "Preferences",
    "Replayed",
    "Results",
    "Row",
    "SplitCheck",
    "Verdict",
    "WhatIf",
    "assign",
    "doubly_robust",
    "exposure_of",
    "hash_of",
    "importance_weights",
    "ips",
    "other_policy",
    "pre_period",
    "preference",
    "preferences",
    "results",
    "snips",
    "team_draft",
    "what_if",
]
