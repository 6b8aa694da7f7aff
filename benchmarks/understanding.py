"""How many requests are understood exactly: by rules, by the tuned model, and by what both agree on.

    python -m benchmarks.understanding --data ml-1m --json
    python -m benchmarks.understanding --data films --language zh --json

`written`: sentences of one to four conditions about the catalog in phrasings that tuning never sees, a fifth of them with values
that it never says. `films`, `shop`: the sentences by hand of tests/instructions/sentences with the catalogs in shelves.py, never
used in tuning; the model that was tuned on --data reads them as it is. Exact means the whole hard part: limits, quotas, examples,
length and what was seen. `p`: sign test of agreement against rules. --data is a data set, or a shelf (films, shop).
A tuned model is kept in --work, and an interrupted one goes on.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tests.instructions.sentences import Hard, expected
from tests.instructions.sentences import load as by_hand
from tests.instructions.shelves import SHELVES

from benchmarks.calibration import add_json_option, finish
from benchmarks.cells import Lines
from instructrec.core import Instruction
from instructrec.data import load
from instructrec.instructions import parse
from instructrec.instructions.sentences import SentenceWriter
from instructrec.tables import Catalog
from instructrec.tuning.understanding import Understander, UnderstandingConfig

HELD_OUT_SEED = 20_000
HELD_OUT_VALUES = 0.2
READERS = ("rules", "model", "agreement")

Asked = tuple[str, Hard]


def written(catalog: Catalog, language: str, number: int) -> list[Asked]:
    """Sentences in phrasings that tuning never sees, and what they mean."""
    rng = np.random.default_rng(HELD_OUT_SEED)
    known, unknown = (SentenceWriter(catalog, language=language, held_out=True, said=said) for said in ("training", "held_out"))
    writers = [unknown if place < HELD_OUT_VALUES * number else known for place in range(number)]
    sentences = [writer.draw(rng, int(rng.integers(1, 5))) for writer in writers]
    return [(sentence.text, Hard.of(sentence.truth)) for sentence in sentences]


def catalog_of(data: str, language: str) -> Catalog:
    """The catalog of a data set or of a shelf."""
    return SHELVES[data](language) if data in SHELVES else load(data).dataset.catalog


def timed(read: Callable[[str], Instruction], texts: Sequence[str]) -> tuple[list[Instruction], float]:
    """What is read, and the median milliseconds of one."""
    found, times = [], []
    for text in texts:
        began = time.perf_counter()
        found.append(read(text))
        times.append((time.perf_counter() - began) * 1000)
    return found, float(np.median(times))


def measured(asked: Sequence[Asked], catalog: Catalog, model: Understander, language: str) -> dict[str, Any]:
    """Shares that were understood exactly, and milliseconds, by reader."""
    texts, meant = [text for text, _ in asked], [hard for _, hard in asked]
    reader = model.about(catalog, language=language)
    rules, rules_ms = timed(lambda text: parse(text, catalog, language=language), texts)
    models, model_ms = timed(lambda text: reader.read(text).whole, texts)
    # The model has read these texts already, so the time is that of the rules and of putting both together.
    both, agreed_ms = timed(lambda text: parse(text, catalog, language=language, lm=reader), texts)
    right = {
        name: [Hard.of(found) == hard for found, hard in zip(readings, meant, strict=True)]
        for name, readings in zip(READERS, (rules, models, both), strict=True)
    }
    pairs = list(zip(right["rules"], right["agreement"], strict=True))
    won, lost = (sum(pair == which for pair in pairs) for which in ((False, True), (True, False)))
    return {
        "sentences": len(texts),
        **{name: round(float(np.mean(flags)), 4) for name, flags in right.items()},
        "won": won,
        "lost": lost,
        "p": round(sign_test(won, lost), 4),
        "rules_ms": round(rules_ms, 2),
        "model_ms": round(model_ms, 1),
        "agreed_ms": round(agreed_ms, 2),
    }


def sign_test(won: int, lost: int) -> float:
    """Two-sided probability of a split at least as uneven if both were as likely."""
    total = won + lost
    tail = sum(math.comb(total, k) for k in range(min(won, lost) + 1)) / 2**total
    return min(1.0, 2 * tail)


def tuned(options: argparse.Namespace, catalog: Catalog) -> tuple[Understander, float]:
    """The model of these settings, tuned or as it was kept, and the seconds of tuning (0: kept)."""
    config = UnderstandingConfig(hold_out_values=True)
    given = {name: getattr(options, name) for name in ("base", "layers", "sentences") if getattr(options, name) is not None}
    config = replace(config, **given)
    name = f"{options.data}-{options.language}-{config.base}-{config.layers}-{config.sentences}-{options.seed}"
    folder = options.work / name
    if (folder / "understanding.json").is_file():
        return Understander.load(folder, catalog), 0.0
    began = time.monotonic()
    model = Understander(config).fit(
        catalog, language=options.language, seed=options.seed, progress=Lines(name), folder=options.work / f"{name}.unfinished"
    )
    model.save(folder)
    return model, time.monotonic() - began


def main() -> None:
    """Tune, measure, print a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="ml-1m")
    parser.add_argument("--language", default="en", choices=["en", "zh"])
    parser.add_argument("--base")
    parser.add_argument("--layers", type=int)
    parser.add_argument("--sentences", type=int)
    parser.add_argument("--number", type=int, default=1000, help="held-out sentences that are written")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path(".understanding-work"))
    add_json_option(parser)
    options = parser.parse_args()
    catalog = catalog_of(options.data, options.language)
    model, fit_s = tuned(options, catalog)
    sets: dict[str, tuple[Sequence[Asked], Catalog]] = {"written": (written(catalog, options.language, options.number), catalog)}
    for shelf, make in SHELVES.items():
        own = make(options.language)
        sets[shelf] = ([(sentence.text, expected(sentence, own)) for sentence in by_hand(options.language, shelf)], own)
    numbers: dict[str, Any] = {"data": options.data, "language": options.language, "fit_s": round(fit_s, 1)}
    numbers |= {"layers": model.config.layers, "tuned_on": model.config.sentences}
    print(f"{'set':<10}{'number':>8}{'rules':>8}{'model':>8}{'agreed':>8}{'won':>6}{'lost':>6}{'p':>8}{'model ms':>10}")
    for name, (asked, own) in sets.items():
        found = measured(asked, own, model, options.language)
        numbers[name] = found
        shares = "".join(f"{found[reader]:>8.3f}" for reader in READERS)
        print(
            f"{name:<10}{found['sentences']:>8}{shares}{found['won']:>6}{found['lost']:>6}{found['p']:>8.3f}{found['model_ms']:>10.0f}"
        )
    finish(numbers, options.json)


if __name__ == "__main__":
    main()
