"""Text to words: one tokeniser for requests, catalog values and wording files, so that the same words always compare equal."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = rf"(?:(?![{HAN}])[^\W_])+"
_NUMBER = r"(?<!\S)[-−]\d+(?:\.\d+)?(?![a-zA-Z\d_])|\d+\.\d+(?![a-zA-Z\d_])|(?<![a-zA-Z\d_.)\]])\.\d+(?![a-zA-Z\d_.])"
_GLUED_YEAR = r"(?<![a-zA-Z\d])(?:18|19|20)\d\d(?=[a-zA-Z]{4})"
_TOKEN = re.compile(rf"{_NUMBER}|{_GLUED_YEAR}|{_WORD}(?:['’ʼ`]{_WORD})*|[{HAN}]|\n|\S")
_FIRST_HAN = "\u4e00"
_APOSTROPHES = str.maketrans("", "", "'’ʼ`")
_HYPHENS = "-‐‑_"
_SAME = {"&": "and", "，": ",", "、": ",", "−": "-"}
_SENTENCE_ENDS = frozenset(".!?;。！？；…\n")
_DIGITS = re.compile(r"[-−]?(?:\d+(?:\.\d+)?|\.\d+)")


@dataclass(frozen=True, slots=True)
class Token:
    """One word, Chinese character or sign: as written, as compared (`key`), and where it stands in the text.

    `hyphenated`: a hyphen ties it to the word before.
    """

    text: str
    key: str
    start: int
    end: int
    hyphenated: bool = False

    @property
    def is_word(self) -> bool:
        """Whether there is a letter or digit in it."""
        return self.key.isalnum() or any(letter.isalnum() for letter in self.key)

    @property
    def is_han(self) -> bool:
        """Whether it is Chinese rather than Latin."""
        return self.key >= _FIRST_HAN

    @property
    def ends_sentence(self) -> bool:
        """Whether nothing said before reaches beyond this sign."""
        return self.key in _SENTENCE_ENDS


def clean(text: str) -> str:
    """The text in compatibility form (full-width, ligatures and mathematical letters become plain ones)."""
    return unicodedata.normalize("NFKC", text)


def fold(word: str) -> str:
    """A word without case, accents and apostrophes."""
    if word.isascii():
        return word.translate(_APOSTROPHES).lower() or word
    plain = unicodedata.normalize("NFD", word.casefold())
    kept = "".join(letter for letter in plain if unicodedata.category(letter) != "Mn").translate(_APOSTROPHES)
    return _SAME.get(kept, kept) or word


def tokenize(text: str) -> list[Token]:
    """Split cleaned text into tokens; hyphens inside words disappear, so that "sci-fi" and "sci fi" are the same words."""
    found = [Token(m.group(), _SAME.get(m.group(), fold(m.group())), m.start(), m.end()) for m in _TOKEN.finditer(text)]
    found = [replace(token, key="!") if _trails(found, place) else token for place, token in enumerate(found)]
    joints = [token.text in _HYPHENS and _joins_words(found, place) for place, token in enumerate(found)]
    return [
        replace(token, hyphenated=True) if place and joints[place - 1] else token
        for place, token in enumerate(found)
        if not joints[place]
    ]


def keys(text: str) -> tuple[str, ...]:
    """The compared form of every token of a text."""
    return tuple(token.key for token in tokenize(clean(text)))


def _trails(tokens: Sequence[Token], place: int) -> bool:
    """Whether a tilde only ends what is said ("谢谢～"), for nothing follows that it could lead to."""
    return place > 0 and tokens[place].text == "~" and not any(token.is_word for token in tokens[place + 1 : place + 2])


def _joins_words(tokens: Sequence[Token], place: int) -> bool:
    """Whether a hyphen stands inside a word."""
    token = tokens[place]
    if not 0 < place < len(tokens) - 1:
        return False
    before, after = tokens[place - 1], tokens[place + 1]
    touching = before.end == token.start and token.end == after.start
    numeric = after.key[:1].isdigit() and (before.key[:1].isdigit() or not before.key.isascii())  # "1989-1998", "1989年-1998年"
    return touching and before.is_word and after.is_word and not numeric


def number(word: str) -> float | None:
    """The number a token writes in digits, or None."""
    return float(word.replace("−", "-")) if word.isascii() and _DIGITS.fullmatch(word) and len(word) <= 15 else None


def han_share(text: str) -> float:
    """Which part of the words is Chinese, 0 to 1 (0 without words); every Chinese character counts as a word."""
    han = len(re.findall(rf"[{HAN}]", text))
    return han / (han + len(re.findall(_WORD, text))) if han else 0.0


def foreign_script_share(text: str, script: str) -> float:
    """Which part of the letters is neither of `script` ("latin" or "han") nor Latin, 0 to 1."""
    letters = [letter for letter in text if letter.isalpha()]
    foreign = [letter for letter in letters if not _is_latin(letter) and not (script == "han" and re.match(rf"[{HAN}]", letter))]
    return len(foreign) / len(letters) if letters else 0.0


def _is_latin(letter: str) -> bool:
    return letter.isascii() or unicodedata.name(letter, "").startswith("LATIN")
