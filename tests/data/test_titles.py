"""Film titles as people write them."""

from __future__ import annotations

import math

import pytest

from instructrec.data.titles import article_first, split_year


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Butcher Boy, The", "The Butcher Boy"),
        ("Horseman on the Roof, The (Hussard sur le toit, Le)", "The Horseman on the Roof (Le Hussard sur le toit)"),
        (
            "Double vie de Véronique, La (Double Life of Veronique, The)",
            "La Double vie de Véronique (The Double Life of Veronique)",
        ),
        ("Star Maker, The (Uomo delle stelle, L')", "The Star Maker (L'Uomo delle stelle)"),
        ("Die xue shuang xiong (Killer, The)", "Die xue shuang xiong (The Killer)"),
        ("Hate (Haine, La)", "Hate (La Haine)"),
        ("Strike! (a.k.a. All I Wanna Do, The Hairy Bird)", "Strike! (a.k.a. All I Wanna Do, The Hairy Bird)"),
        ("Seven (a.k.a. Magnificent Ones, The)", "Seven (a.k.a. The Magnificent Ones)"),
        ("Corrina, Corrina", "Corrina, Corrina"),
        ("Toy Story", "Toy Story"),
        ("Good, the Bad and the Ugly, The", "The Good, the Bad and the Ugly"),
    ],
)
def test_articles_come_first(title, expected):
    assert article_first(title) == expected


@pytest.mark.parametrize(
    ("title", "name", "year"),
    [
        ("Toy Story (1995)", "Toy Story", 1995),
        (
            "Land Before Time III: The Time of the Great Giving (1995) (V)",
            "Land Before Time III: The Time of the Great Giving",
            1995,
        ),
        ("Fawlty Towers (1975-1979)", "Fawlty Towers", 1975),
        ("Big Bang Theory, The (2007-)", "Big Bang Theory, The", 2007),
        ("Blade Runner (Director's Cut) (1982) ", "Blade Runner (Director's Cut)", 1982),
        ("Hyena Road", "Hyena Road", math.nan),
        ("2001: A Space Odyssey (1968)", "2001: A Space Odyssey", 1968),
    ],
)
def test_years_are_split_off(title, name, year):
    found, found_year = split_year(title)
    assert found == name
    assert found_year == year or (math.isnan(year) and math.isnan(found_year))
