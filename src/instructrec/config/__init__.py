"""The configuration of a run: each part's own typed settings, gathered; TOML in, the whole resolved TOML out."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeAlias

from instructrec.config.toml_text import dump as dump_toml
from instructrec.config.typed import from_table, parse_value, to_table, unknown_key
from instructrec.data.cleaning import CleaningConfig
from instructrec.data.options import LoadOptions
from instructrec.data.split import SplitConfig
from instructrec.errors import ConfigError, nearest
from instructrec.evaluation.metrics import find as find_metric
from instructrec.models import MODELS, resolve
from instructrec.recommender import Recommender

__all__ = [
    "DEMO_ASSETS",
    "PRESETS",
    "UNDERSTANDING",
    "WRITING",
    "DataConfig",
    "EvaluationConfig",
    "ReadBy",
    "ReasonsBy",
    "RunConfig",
    "build_model",
    "dump",
    "from_toml",
    "load",
    "parts_of",
    "preset",
    "settings_type",
    "with_settings",
]

PRESETS = ("quick", "default", "full")
"""Complete configurations that come with the package, by how long they train."""
DEMO_ASSETS = ("ml-100k", "smollm2", "minilm")
"""What those configurations need from the network, once."""
UNDERSTANDING = "understanding"
"""The table with the settings of the model that reads requests, beside those of the recommenders."""
ReadBy: TypeAlias = Literal["rules", "both"]
"""Who reads requests: the rules alone, or also that model."""
WRITING = "writing"
"""The same for the model that writes reasons."""
ReasonsBy: TypeAlias = Literal["grammar", "model"]
"""Who writes reasons: the grammar alone, or that model, with the grammar where what it writes is not true."""
_LARGEST_SEED = 2**32 - 1
"""Trainings make seeds of their steps out of it, which have to fit into 64 bits."""
_TABLES = (*MODELS, UNDERSTANDING, WRITING)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig:
    """What is read."""

    source: str = field(default="ml-100k", metadata={"help": "A known name, a folder or a file."})
    options: LoadOptions = field(default=LoadOptions(), metadata={"help": "How files are read."})


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationConfig:
    """How models are measured."""

    k: int = field(default=10, metadata={"help": "Length of the evaluated lists."})
    seen_shown: bool = field(default=False, metadata={"help": "Let items of the history compete (else they are hidden)."})
    metrics: tuple[str, ...] = field(
        default=("ndcg@10", "hr@10", "mrr@10", "recall@10"), metadata={"help": "The first one orders the table."}
    )
    sampled: int = field(
        default=0,
        metadata={
            "help": "Rank each held-out item among so many random items only; 0 ranks the whole catalog. Sampled figures are "
            "inconsistent with full ranking (Krichene and Rendle 2020), and every report says so."
        },
    )

    def __post_init__(self) -> None:
        if self.sampled < 0:
            raise ConfigError(f"sampled is {self.sampled}, but must be 0 (full ranking) or a number of random items.")
        if self.k < 1 or not self.metrics:
            raise ConfigError(
                f"k is {self.k} and metrics are {list(self.metrics)}; k must be at least 1, with at least one metric."
            )
        for metric in self.metrics:
            find_metric(metric)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """Everything that decides what a run becomes. `settings` holds the typed settings of each model by name, also of
    those that read requests and write reasons.
    """

    model: str = field(default="fusion", metadata={"help": "The model that serves."})
    beside: tuple[str, ...] = field(default=(), metadata={"help": "Models fitted and measured beside it, for the leaderboard."})
    seed: int = field(default=0, metadata={"help": "Where all randomness comes from."})
    language: Literal["en", "zh"] = field(default="en", metadata={"help": "Language of answers and explanations."})
    reader: ReadBy = field(
        default="rules",
        metadata={"help": "Who reads requests: rules, or both rules and a model that is tuned on the catalog (minutes more)."},
    )
    writer: ReasonsBy = field(
        default="grammar",
        metadata={
            "help": "Who writes reasons: a grammar, or a language model that is tuned to (minutes more), held to what is true."
        },
    )
    foresee_memory: bool = field(
        default=True,
        metadata={"help": "Fit no model whose memory, foreseen from the sizes of the data, is more than what is available."},
    )
    data: DataConfig = DataConfig()
    cleaning: CleaningConfig = CleaningConfig()
    split: SplitConfig = SplitConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 <= self.seed <= _LARGEST_SEED:
            raise ConfigError(f"seed is {self.seed}, but must be a whole number from 0 to {_LARGEST_SEED}.")

    @property
    def models(self) -> tuple[str, ...]:
        """The models of this run, the one that serves first."""
        return tuple(dict.fromkeys((self.model, *self.beside)))


def load(source: Path | str, sets: Sequence[str] = ()) -> RunConfig:
    """Read a TOML file, or a preset by its name, with `sets` ("a.b=c") put over it.

    Raises ConfigError for a file that is not there or no TOML, and for unknown keys and values that do not fit.
    """
    path = Path(source)
    if str(source) in PRESETS:
        return preset(str(source), sets)
    try:
        return from_toml(path.read_text(encoding="utf-8"), sets, name=str(path))
    except FileNotFoundError:
        known = ", ".join(PRESETS)
        raise ConfigError(
            f"There is no configuration '{source}'.{nearest(str(source), PRESETS)} Give a TOML file or one of: {known}."
        ) from None
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(f"Configuration '{source}' cannot be read: {problem}. It must be a TOML file in UTF-8.") from problem


def preset(name: str, sets: Sequence[str] = ()) -> RunConfig:
    """One of the configurations that come with the package."""
    if name not in PRESETS:
        raise ConfigError(f"There is no preset '{name}'.{nearest(name, PRESETS)} There is: {', '.join(PRESETS)}.")
    text = (resources.files("instructrec.config") / "presets" / f"{name}.toml").read_text(encoding="utf-8")
    return from_toml(text, sets, name=name)


def from_toml(text: str, sets: Sequence[str] = (), *, name: str = "configuration") -> RunConfig:
    """Build the configuration from TOML text; what the text leaves out takes its default."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise ConfigError(f"'{name}' is not TOML: {problem}. Mend that place and repeat.") from problem
    return _build(_put(table, sets))


def with_settings(config: RunConfig, sets: Sequence[str]) -> RunConfig:
    """The same configuration with `sets` ("a.b=c") put over it."""
    return _build(_put(_table(config), sets)) if sets else config


def dump(config: RunConfig) -> str:
    """The whole resolved configuration as TOML; equal configurations give equal text, and `from_toml` reads it back."""
    return dump_toml(_table(config))


def build_model(name: str, config: RunConfig, *, parts: Mapping[str, Recommender] | None = None) -> Recommender:
    """A model that is not fitted yet, with the settings that this run has for it; `parts` are what a fusion fuses."""
    settings = [config.settings[name]] if name in config.settings else []
    model: Recommender = resolve(name)(*settings, **({"parts": parts} if parts else {}))
    return model


def settings_type(name: str) -> type[Any] | None:
    """The dataclass of a model's settings; none for a model that has nothing to set."""
    if name == UNDERSTANDING:
        # With torch behind it, so only where somebody asks for that model.
        from instructrec.tuning.understanding import UnderstandingConfig

        return UnderstandingConfig
    if name == WRITING:
        from instructrec.tuning.verbalising import VerbaliserConfig

        return VerbaliserConfig
    found: type[Any] | None = getattr(resolve(name), "config_type", None)
    return found


def _build(table: Mapping[str, Any]) -> RunConfig:
    own = [entry.name for entry in fields(RunConfig) if entry.name != "settings"]
    for key in table:
        if key not in own and key not in _TABLES:
            raise ConfigError(unknown_key(key, [*own, *_TABLES]))
    config = from_table(RunConfig, {key: value for key, value in table.items() if key in own})
    settings: dict[str, Any] = {}
    waiting = [*config.models, *(name for name in _TABLES if name in table)]
    waiting += [UNDERSTANDING] if config.reader == "both" else []
    waiting += [WRITING] if config.writer == "model" else []
    for name in waiting:
        if name not in settings:
            settings[name] = _settings(name, table.get(name, {}))
            waiting += parts_of(settings[name])
    for name in settings:
        _refuse_circles(settings, name)
    # In the order of the model table, so that equal configurations are written equal.
    return replace(config, settings={name: settings[name] for name in _TABLES if settings.get(name) is not None})


def parts_of(settings: Any) -> tuple[str, ...]:
    """The models that a model with these settings is put together from; empty for all but fusions."""
    parts: tuple[str, ...] = getattr(settings, "parts", ())
    return parts


def _refuse_circles(settings: Mapping[str, Any], name: str, above: tuple[str, ...] = ()) -> None:
    """Raise ConfigError where a model is, by way of others, a part of itself."""
    if name in above:
        raise ConfigError(f"'{name}' is a part of itself: {' > '.join((*above, name))}. Take one of these parts out.")
    for part in parts_of(settings.get(name)):
        _refuse_circles(settings, part, (*above, name))


def _settings(name: str, table: Any) -> Any:
    kind = settings_type(name)
    if not isinstance(table, Mapping):
        raise ConfigError(f"'{name}' is {table!r}, but must be a table [{name}] with the settings of that model.")
    if kind is not None:
        return from_table(kind, table, name)
    if table:
        raise ConfigError(f"Model '{name}' has nothing to set, but [{name}] sets: {', '.join(table)}. Take that table out.")
    return None


def _table(config: RunConfig) -> dict[str, Any]:
    table = to_table(config)
    models: dict[str, Any] = table.pop("settings")
    # In TOML the settings of a model are the table of its name.
    return table | models


def _put(table: dict[str, Any], sets: Sequence[str]) -> dict[str, Any]:
    for entry in sets:
        key, equals, text = entry.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--set takes key=value, but got '{entry}'. Write for instance: --set seed=1")
        *path, last = key.strip().split(".")
        inner: Any = table
        for part in path:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise ConfigError(f"--set {entry}: '{part}' is a value, not a table, so nothing below it can be set.")
        inner[last] = parse_value(text.strip())
    return table
