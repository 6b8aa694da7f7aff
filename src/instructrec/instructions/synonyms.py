"""What people call the values of a catalog beside their names: asked of a teacher, and only what can mean nothing else."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from instructrec.core import Progress, Silent
from instructrec.instructions.lexicon import Lexicon, lexicon
from instructrec.instructions.teacher import Teacher
from instructrec.instructions.tokens import HAN, keys
from instructrec.instructions.vocabulary import Ref, Vocabulary
from instructrec.tables import Catalog

MOST_WORDS = 4
"""Words (Chinese: twice as many characters) of the longest name that is taken."""
_AT_ONCE = 32
_BETWEEN = re.compile(r"[,;、，；\n]|\s/\s")
_AROUND = " .。\"'“”‘’「」"


def suggested_names(catalog: Catalog, teacher: Teacher, *, most: int, progress: Progress = Silent()) -> dict[Ref, tuple[str, ...]]:
    """Names for the `most` values that most items have, in the language of the teacher; values without any are left out.

    What is left out of the answers: names that the catalog uses already, those that are a function word of the language ("new") or
    say no, that are too long, and those given to several values.
    """
    words = lexicon(teacher.language)
    assert words is not None
    vocabulary = Vocabulary.of(catalog, words)
    refs = sorted(
        (Ref(attribute, value) for attribute, labels in catalog.labels.items() for value in labels.names),
        key=lambda ref: -vocabulary.count(ref),
    )[:most]
    progress.stage("ask for names", total=len(refs))
    given: dict[Ref, list[str]] = {}
    for start in range(0, len(refs), _AT_ONCE):
        some = refs[start : start + _AT_ONCE]
        asked = [f"{ref.attribute.replace('_', ' ')}: {ref.value}" for ref in some]
        answers = teacher.rewrite([("names", text) for text in asked])
        # A teacher that fails gives back what it was asked.
        given |= {ref: _names(answer) for ref, text, answer in zip(some, asked, answers, strict=True) if answer != text}
        progress.step(start + len(some))
    return _unambiguous(given, vocabulary, words)


def _names(answer: str) -> list[str]:
    return [name for part in _BETWEEN.split(answer) if (name := part.strip(_AROUND))]


def _unambiguous(given: Mapping[Ref, Sequence[str]], vocabulary: Vocabulary, words: Lexicon) -> dict[Ref, tuple[str, ...]]:
    owners: dict[tuple[str, ...], set[Ref]] = defaultdict(set)
    for ref, names in given.items():
        for name in names:
            owners[keys(name)].add(ref)
    found: dict[Ref, tuple[str, ...]] = {}
    for ref, names in given.items():
        kept = [name for name in dict.fromkeys(names) if len(owners[keys(name)]) == 1 and _is_free(keys(name), vocabulary, words)]
        if kept:
            found[ref] = tuple(kept)
    return found


def _is_free(name: tuple[str, ...], vocabulary: Vocabulary, words: Lexicon) -> bool:
    """Whether a name could be a new word for a value: of its own, short, and no function word."""
    longest = 2 * MOST_WORDS if any(re.match(rf"[{HAN}]", word) for word in name) else MOST_WORDS
    taken = vocabulary.find(name) or name in vocabulary.attributes or name in vocabulary.titles
    function = name in words.strong or name in words.kind_words or any(words.negates(word) for word in name)
    return 0 < len(name) <= longest and not taken and not function and any(any(c.isalpha() for c in word) for word in name)
