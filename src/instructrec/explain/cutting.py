"""Phrases of a text in natural language: words between words that carry no matter, so that they can be said again in a list.

Without a tagger: closed lists of words and endings (`wording/telling.en.toml`) say where a phrase ends, what may stand inside it,
which word is an adjective that needs a noun, and behind which words the opposite is meant.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

WORD = re.compile(r"\w\w+")
_TOKEN = re.compile(r"(?:[A-Z]\.)+(?= [A-Z])|\w+(?:[-'.&/]\w+)*|[^\w\s]")
_SLOT = re.compile(r"\{\w+\}")
_LONGEST = 8
"""Words of a phrase; what is longer is cut at its last glue word before."""
_LISTS = ("boundaries", "inside", "glue", "articles", "denials", "nouns", "adjectives", "general", "commoners")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """Sentences with slots by name, signs and words between, and the closed lists of words by which phrases are found."""

    sentences: Mapping[str, tuple[str, ...]]
    sets: Mapping[str, frozenset[str]]
    endings: Mapping[str, tuple[str, ...]]
    signs: Mapping[str, str]
    skipped: re.Pattern[str]

    @property
    def own_words(self) -> frozenset[str]:
        """Words that no text has from its inputs: those of the sentences."""
        lines = [line for some in self.sentences.values() for line in some] + list(self.signs.values())
        return frozenset(word for line in lines for word in own_words(line))


@cache
def telling_wording(language: str = "en") -> Wording:
    """The sentences of a language."""
    path = resources.files("instructrec.explain") / "wording" / f"telling.{language}.toml"
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return Wording(
        sentences={name: tuple(lines) for name, lines in table["sentences"].items()},
        sets={name: frozenset(table["words"][name].split()) for name in _LISTS},
        endings={name: tuple(some) for name, some in table["endings"].items()},
        signs=table["signs"],
        skipped=re.compile("|".join(map(re.escape, table["words"]["skipped"])), re.IGNORECASE),
    )


def words_of(text: str) -> tuple[str, ...]:
    """Words of two letters or more, in lower case."""
    return tuple(WORD.findall(text.lower()))


def own_words(line: str) -> tuple[str, ...]:
    """The words of a sentence with slots, without what stands in them."""
    return words_of(_SLOT.sub(" ", line))


def content(said: str, wording: Wording) -> frozenset[str]:
    """What carries matter in a phrase, words of plural and singular alike."""
    empty = wording.sets["boundaries"] | wording.sets["glue"] | {*words_of(wording.signs["something"])}
    return frozenset(folded(word) for word in words_of(said) if word not in empty)


def folded(word: str) -> str:
    """A word in lower case without the "s" of a plural."""
    low = word.lower()
    return low[:-1] if len(low) > 3 and low.endswith("s") and not low.endswith("ss") else low


def cut(text: str, wording: Wording) -> list[str]:
    """The phrases of a text in its order, as they stand in a list, each once."""
    found = (as_listed(run, wording) for run in runs(text, wording))
    return list(dict.fromkeys(said for said in found if said))


def runs(text: str, wording: Wording) -> Iterator[list[str]]:
    """Words in a row that belong to one phrase, its article first; nothing of what is denied."""
    tokens = [*_TOKEN.findall(wording.skipped.sub("|", text.replace("’", "'"))), "."]
    sets, run, denied = wording.sets, list[str](), False
    for place, token in enumerate(tokens):
        low = token.lower().removesuffix("'s")
        denied = (denied or low in sets["denials"] or low.endswith("n't")) and low not in (".", ";", "but")
        first = place == 0 or tokens[place - 1] in (".", "!", "?")
        behind_glue = bool(run) and run[-1].lower() in sets["glue"]
        if not denied and low in sets["articles"] and not behind_glue:
            yield from _pieces(run[:-1], wording)  # what stands right before an article is a verb
            run = [low if first else token]
        elif not denied and run and (low in sets["glue"] or _joins(tokens, place, wording)):
            run += [token] if low in sets["glue"] else []
        elif denied or _ends(low, run, wording):
            yield from _pieces(run, wording)
            run = []
        else:
            run.append(token.lower() if first and _is_common(token, wording) else token)


def _joins(tokens: Sequence[str], place: int, wording: Wording) -> bool:
    """A comma between two adjectives of one noun."""
    return tokens[place] == "," and all(is_adjective(tokens[place + step], wording) for step in (-1, 1))


def _ends(low: str, run: Sequence[str], wording: Wording) -> bool:
    sets = wording.sets
    bare = [word for word in run if word.lower() not in sets["articles"]]
    return low in sets["boundaries"] or low in sets["glue"] or not low[:1].isalnum() or (low in sets["inside"] and not bare)


def _is_common(token: str, wording: Wording) -> bool:
    """Is this word at the head of a sentence, to judge by its form, none that keeps its capital inside one?"""
    low = token.lower()
    joined = "-" in low or low.endswith(wording.endings["commoner"])
    return low[1:] == token[1:] and (joined or low in wording.sets["commoners"])


def _pieces(run: list[str], wording: Wording) -> Iterator[list[str]]:
    """A run without glue at its ends, cut at an "and" that joins two phrases, and where it gets too long."""
    run = _trimmed(run, wording)
    joints = [place for place, word in enumerate(run) if word.lower() == "and" and not is_adjective(run[place - 1], wording)]
    middle = next((place for place in joints if min(place, len(run) - place - 1) > 1), None)
    if middle is None and len(run) > _LONGEST:
        inner = [place for place, word in enumerate(run) if word.lower() in wording.sets["glue"] and 1 <= place <= _LONGEST]
        middle = inner[-1] if inner else None
    if middle is None:
        if run:
            yield run
    else:
        yield from _pieces(run[:middle], wording)
        yield from _pieces(run[middle:], wording)


def _trimmed(run: list[str], wording: Wording) -> list[str]:
    """Without what does not begin or end a phrase: glue, verbs and adverbs, an adjective whose noun is missing behind glue."""
    glue, articles = wording.sets["glue"], wording.sets["articles"]
    while run and (run[-1].lower() in glue or _dangles(run[-1], wording)):
        run = run[:-1]
    while run and run[0].lower() in glue - articles:
        run = run[1:]
    if len(run) > 2 and run[-2].lower() in glue and is_adjective(run[-1], wording):
        like = run[-2].lower() == "and" and is_adjective(run[-3], wording)
        return run if like else _trimmed(run[:-1], wording)
    return run


def _dangles(word: str, wording: Wording) -> bool:
    """A participle or adverb that needs what stood behind it ("topped"), not one that is joined to a noun ("action-packed")."""
    plain = word.islower() and "-" not in word and word not in wording.sets["nouns"]
    return plain and word.endswith(wording.endings["dangling"]) and not is_adjective(word, wording)


def is_adjective(word: str, wording: Wording) -> bool:
    """To judge by a list and by endings, is this a word that needs a noun?"""
    low, sets = word.lower(), wording.sets
    if low in sets["adjectives"]:
        return True
    if low[1:] != word[1:] or low in sets["nouns"]:
        return False
    return low.endswith(wording.endings["adjective"]) or ("-" in low and low.endswith(wording.endings["joined"]))


def as_listed(run: Sequence[str], wording: Wording) -> str:
    """How a run is said in a list; nothing if it says too little."""
    articles = wording.sets["articles"]
    low = [word.lower() for word in run if word.lower() not in wording.sets["glue"]]
    if not words_of(" ".join(low)) or all(word in wording.sets["general"] for word in low):
        return ""
    if not is_adjective(run[-1], wording) or (len(run) > 1 and run[-1][0].isupper()):
        return " ".join(run)
    return wording.signs["something"].format(" ".join(run[1:] if run[0].lower() in articles else run))
