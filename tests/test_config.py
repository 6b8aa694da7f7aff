"""Configuration: typed, refused when a key is unknown, written whole, and complete in every preset."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructrec import config
from instructrec.cli.reference import preset_text
from instructrec.config.toml_text import dump as dump_toml
from instructrec.errors import ConfigError, InstructRecError

LIGHT = ('model="ridge"',)


@pytest.mark.parametrize(
    ("entry", "nearest"),
    [
        ("sede=1", "'seed'"),
        ("split.knd=time", "'kind'"),
        ("rigde.decay=0.5", "'ridge'"),
        ("ridge.dekay=0.5", "'decay'"),
        ("data.options.encodin=x", "'encoding'"),
    ],
)
def test_unknown_key_names_the_nearest_known_one(entry, nearest):
    with pytest.raises(ConfigError, match=f"Did you mean {nearest}"):
        config.from_toml("", [*LIGHT, entry])


@pytest.mark.parametrize(
    "entry", ["seed=many", "seed=1.5", "seed=true", "beside=popular", "evaluation.seen_shown=1", "ridge.decay=[1]"]
)
def test_value_of_another_type_is_refused_with_its_place(entry):
    with pytest.raises(ConfigError, match=entry.partition("=")[0]):
        config.from_toml("", [*LIGHT, entry])


def test_value_outside_its_choices_names_them():
    with pytest.raises(ConfigError, match="Did you mean 'en'") as caught:
        config.from_toml("", [*LIGHT, "language=eng"])
    assert "zh" in str(caught.value)


def test_set_is_typed_and_wins_over_the_file():
    text = 'model = "ridge"\nseed = 1\n[ridge]\ndecay = 0.5\n'
    found = config.from_toml(
        text, ["ridge.decay=0.75", "seed=7", "data.options.interaction_columns.user=customer", "split.kind=time"]
    )
    assert found.settings["ridge"].decay == 0.75
    assert found.seed == 7
    assert found.data.options.interaction_columns == {"user": "customer"}
    assert found.split.kind == "time"


def test_whole_number_is_accepted_where_a_fraction_is_wanted():
    assert config.from_toml("", [*LIGHT, "ridge.penalty=200"]).settings["ridge"].penalty == 200.0


def test_set_without_equals_says_how():
    with pytest.raises(ConfigError, match="key=value"):
        config.from_toml("", ["seed"])


def test_set_below_a_value_is_refused():
    with pytest.raises(ConfigError, match="not a table"):
        config.from_toml("seed = 1", ["seed.x=1"])


def test_resolved_toml_reads_back_equal_and_holds_every_default():
    first = config.from_toml("", [*LIGHT, 'beside=["popular", "ease"]', "ridge.decay=0.6"])
    text = config.dump(first)
    assert config.from_toml(text) == first
    assert config.dump(config.from_toml(text)) == text
    table = tomllib.loads(text)
    assert table["ridge"]["decay"] == 0.6
    assert "penalty" in table["ease"]
    assert table["cleaning"]["repeated"] == "first"


def test_settings_of_the_parts_of_a_fusion_come_along():
    found = config.from_toml('model = "fusion"\n[fusion]\nparts = ["ridge", "popular"]\n')
    assert set(found.settings) == {"fusion", "ridge", "popular"}


@pytest.mark.parametrize("name", config.PRESETS)
def test_preset_says_everything_and_decides_only_what_it_is_to(name):
    """No key is left to a default, so that the file alone says what the run does; none has a default of yesterday."""
    text = (resources.files("instructrec.config") / "presets" / f"{name}.toml").read_text(encoding="utf-8")
    assert tomllib.loads(text) == tomllib.loads(config.dump(config.preset(name)))
    assert text == preset_text(name), "The definitions have changed: python -m instructrec.cli.reference"


def test_presets_differ_only_in_training():
    quick, full = (config.preset(name) for name in ("quick", "full"))
    assert quick.data == full.data
    assert quick.split == full.split
    assert quick.settings["lm"].epochs < full.settings["lm"].epochs


def test_settings_of_understanding_are_there_only_where_a_model_reads():
    assert "understanding" not in config.dump(config.from_toml("", LIGHT))
    found = config.from_toml("", [*LIGHT, "reader=both", "understanding.sentences=50"])
    assert found.settings["understanding"].sentences == 50
    assert config.from_toml(config.dump(found)) == found
    with pytest.raises(ConfigError, match="Did you mean 'sentences'"):
        config.from_toml("", [*LIGHT, "understanding.sentence=50"])


def test_unknown_preset_and_missing_file_say_what_there_is(tmp_path):
    with pytest.raises(ConfigError, match="Did you mean 'quick'"):
        config.load("quik")
    with pytest.raises(ConfigError, match="TOML file"):
        config.load(tmp_path / "none.toml")


def test_broken_toml_names_the_place(tmp_path: Path):
    path = tmp_path / "broken.toml"
    path.write_text("seed = \n")
    with pytest.raises(ConfigError, match="line 1"):
        config.load(path)


def test_file_in_another_encoding_is_refused(tmp_path: Path):
    path = tmp_path / "latin.toml"
    path.write_bytes("model = 'caf\xe9'".encode("latin-1"))
    with pytest.raises(ConfigError, match="UTF-8"):
        config.load(path)


def test_unknown_model_names_the_nearest():
    with pytest.raises(InstructRecError, match="Did you mean 'ridge'"):
        config.from_toml('model = "rigde"')


scalars = st.one_of(st.booleans(), st.integers(-(2**62), 2**62), st.floats(allow_nan=False), st.text(st.characters(codec="utf-8")))
tables = st.recursive(
    st.dictionaries(
        st.text(st.characters(codec="utf-8"), max_size=8), st.one_of(scalars, st.lists(scalars, max_size=3)), max_size=4
    ),
    lambda inner: st.dictionaries(st.text("ab-.é ", max_size=4), st.one_of(scalars, inner), max_size=3),
    max_leaves=6,
)


@given(tables)
@settings(max_examples=60, deadline=None)
def test_any_table_survives_being_written(table):
    assert tomllib.loads(dump_toml(table)) == table


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("seed=-1", "seed is -1, but must be a whole number from 0"),
        ("seed=99999999999999999999", "seed is 9+, but must be"),
        ('evaluation.metrics=["ndcg@10", "ndgc@10"]', "no metric 'ndgc'.*ndcg"),
        ('evaluation.metrics=["recall"]', "'recall' has no cut-off"),
    ],
)
def test_what_would_fail_after_the_fit_is_refused_with_the_configuration(setting, words):
    with pytest.raises(ConfigError, match=words):
        config.from_toml("", [setting])
