"""Chinese clauses that only say more of the one before, and other frames of spoken Chinese. One line each."""

import pytest
from tests.instructions.shelves import SHELVES
from tests.instructions.worlds import hard

from instructrec.instructions import parse

FILMS = SHELVES["films"]("zh")
SENTENCES = [
    ("1990年以后的，当年不算", ["year >= 1991"]),
    ("1990年（含）以前的", ["year <= 1990"]),
    ("1990年以后的不要", ["year <= 1990"]),
    ("1990年的可以，更晚的不行", ["year <= 1990"]),
    ("不要1990年的，也不要更老的", ["year >= 1991"]),
    ("不是1990年的不要", ["year 1990..1990"]),
    ("90年代以外的不要", ["year 1990..1999"]),
    ("喜剧和剧情以外的都不要", ["genres: 剧情 | 喜剧"]),
    ("喜剧行，换成剧情也可以，别的不考虑", ["genres: 剧情 | 喜剧"]),
    ("喜剧或剧情，起码得占一个", ["genres: 剧情 | 喜剧"]),
    ("喜剧放五个，其余不许再有", ["exactly 5: genres: 喜剧"]),
    ("喜剧来5个，多一个少一个都不行", ["exactly 5: genres: 喜剧"]),
    ("喜剧有3个是底线，更多也可以", ["at least 3: genres: 喜剧"]),
    ("喜剧没有三个我不干", ["at least 3: genres: 喜剧"]),
    ("喜剧少放点，最多2个", ["at most 2: genres: 喜剧"]),
    ("评分得有4", ["rating >= 4"]),
    ("评分刚好4的不行，得更高", ["rating > 4"]),
    ("来点喜剧，没有也行", []),
    ("没有喜剧也没关系", []),
    ("缺了喜剧不行，把剧情和恐怖都给我屏蔽了", ["genres: 喜剧", "not genres: 剧情 | 恐怖"]),
    ("就想要跳过我看过的", ["new"]),
    ("我没见过的一概不要", ["known"]),
    ("喜剧我不喜欢，不要，1990年的", ["not genres: 喜剧", "year 1990..1990"]),
]


@pytest.mark.parametrize(("text", "expected"), SENTENCES, ids=[text for text, _ in SENTENCES])
def test_what_a_clause_says_of_the_one_before(text, expected):
    assert hard(parse(text, FILMS, language="zh"), FILMS) == set(expected)
