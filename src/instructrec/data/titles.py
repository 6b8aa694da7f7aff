"""Film titles as people write them: the year apart, the article in front."""

from __future__ import annotations

import re

_ARTICLES = "The|An|A|La|Le|Les|L'|Il|Lo|Gli|El|Los|Las|Das|Der|Die|Ein|Eine|Det|Den|De|Een|Un|Une|Uma|O|Os"
_YEAR = re.compile(r"\s*\((\d{4})(?:\s*[-–/][^()]*)?\)\s*(?:\((?:V|TV|VG|mini)\))?\s*$")
_TRAILING_ARTICLE = re.compile(rf"(?P<also>a\.k\.a\. )?(?P<title>[^()]+), (?P<article>{_ARTICLES})(?=\s*$|\s*\(|\))")


def split_year(title: str) -> tuple[str, float]:
    """The title without its "(1995)" at the end, and the year: NaN where there is none, the first of a span ("1975-1979")."""
    match = _YEAR.search(title)
    if match is None:
        return title.strip(), float("nan")
    return title[: match.start()].strip(), float(match.group(1))


def article_first(title: str) -> str:
    """'Butcher Boy, The' -> 'The Butcher Boy'; also inside brackets, and in the languages of film catalogs."""
    return _TRAILING_ARTICLE.sub(_move, title)


def _move(match: re.Match[str]) -> str:
    gap = "" if match["article"].endswith("'") else " "
    return f"{match['also'] or ''}{match['article']}{gap}{match['title'].strip()}"
