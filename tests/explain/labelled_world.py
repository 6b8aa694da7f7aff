"""The invented world of `labelled/world.toml`, and the texts about it that people labelled true or false."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from instructrec.core import Instruction
from instructrec.explain.facts import Facts, Lore
from instructrec.explain.phrases import phrases
from instructrec.instructions import parse
from instructrec.tables import Catalog, Dataset, Interactions, Labels

FOLDER = Path(__file__).parent / "labelled"
LABELS = ("genres", "director", "brand", "colour", "category")
NUMBERS = ("year", "price", "pages")


@dataclass(frozen=True)
class Case:
    """One labelled text: `part` is "seen" or "kept", `error` what is false in it ("" where it is true)."""

    scene: str
    part: str
    facts: Facts
    text: str
    error: str


def labelled_world() -> Dataset:
    table = tomllib.loads((FOLDER / "world.toml").read_text(encoding="utf-8"))
    rows = table["items"]
    catalog = Catalog(
        item_ids=tuple(row[0] for row in rows),
        titles=tuple(row[1] for row in rows),
        texts=tuple(row[4] for row in rows),
        labels={name: Labels.build([row[2].get(name, []) for row in rows]) for name in LABELS},
        numbers={name: np.array([row[2].get(name, np.nan) for row in rows], dtype=np.float64) for name in NUMBERS},
        also_called=table["also_called"],
    )
    ratings = table["ratings"]
    given = [(user, catalog.index[item], float(rating)) for user, own in ratings.items() for item, rating in own.items()]
    raters = np.bincount([item for _, item, _ in given], minlength=len(rows))
    for item, row in enumerate(rows):
        given += [(f"p{person:02}", item, np.nan) for person in range(row[3] - raters[item])]
    users = tuple(sorted({user for user, _, _ in given}))
    given.sort(key=lambda entry: (entry[0], entry[1]))
    interactions = Interactions(
        user_ids=users,
        users=np.array([users.index(user) for user, _, _ in given], dtype=np.int64),
        items=np.array([item for _, item, _ in given], dtype=np.int64),
        timestamps=np.arange(len(given), dtype=np.int64),
        ratings=np.array([rating for _, _, rating in given], dtype=np.float32),
    )
    return Dataset(name="labelled", interactions=interactions, catalog=catalog)


def labelled_cases(language: str) -> list[Case]:
    """All labelled texts of a language."""
    dataset = labelled_world()
    lore = Lore(dataset, phrases(language))
    table = tomllib.loads((FOLDER / f"{language}.toml").read_text(encoding="utf-8"))
    return [
        Case(scene["id"], scene["part"], _facts(scene, lore, language), entry["text"], entry.get("error", ""))
        for scene in table["scene"]
        for entry in scene["texts"]
        if entry["true"] is ("error" not in entry)
    ]


def more_cases(language: str) -> list[Case]:
    """Further texts about the scenes of a language."""
    facts = {case.scene: case.facts for case in labelled_cases(language)}
    table = tomllib.loads((FOLDER / "more.toml").read_text(encoding="utf-8"))
    return [
        Case(entry["scene"], "more", facts[entry["scene"]], entry["text"], "" if entry["true"] else "any")
        for entry in table[language]
    ]


def _facts(scene: dict, lore: Lore, language: str) -> Facts:
    catalog = lore.catalog
    request = scene.get("request", "")
    instruction = parse(request, catalog, language=language) if request else Instruction(text="")
    effects = {catalog.index[item]: effect for item, effect in scene["effects"].items()}
    return Facts(
        lore=lore,
        item=catalog.index[scene["item"]],
        weights=effects,
        losses=effects,
        limits=instruction.limits,
        wish=instruction.wish,
        source=scene.get("source"),
        low=lore.rated_low(scene.get("user")),
        rank=1,
    )
