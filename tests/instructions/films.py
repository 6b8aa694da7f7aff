"""A small catalog with traps: hyphens, apostrophes, titles that hold other titles, genre words and function words."""

import numpy as np

from instructrec.tables import Catalog, Labels, Limit

ROWS = [
    ("Toy Story", 1995, ["Animation", "Children's", "Comedy"]),
    ("True Romance", 1993, ["Crime", "Romance"]),
    ("No Country for Old Men", 2007, ["Crime", "Thriller"]),
    ("The Big Sleep", 1946, ["Film-Noir", "Mystery"]),
    ("Romance", 1999, ["Drama"]),
    ("Drama Queen", 1988, ["Comedy"]),
    ("Alien", 1979, ["Horror", "Sci-Fi"]),
    ("Before Sunrise", 1995, ["Drama", "Romance"]),
    ("The Dog of War", 1962, ["War", "Drama"]),
    ("Annie Hall", 1977, ["Comedy", "Romance"]),
    ("Unforgiven", 1992, ["Western"]),
    ("Evita", 1996, ["Musical", "Drama"]),
    ("Excalibur", 1981, ["Fantasy", "Adventure", "Action"]),
    ("Hoop Dreams", 1994, ["Documentary"]),
    ("Metropolis", 1927, ["Sci-Fi"]),
    ("Unknown year", None, ["Comedy"]),
]


def films() -> Catalog:
    """Sixteen films with genres and years; one year is unknown."""
    return Catalog(
        item_ids=tuple(str(place) for place in range(len(ROWS))),
        titles=tuple(title for title, _, _ in ROWS),
        labels={"genres": Labels.build([values for _, _, values in ROWS])},
        numbers={"year": np.array([np.nan if year is None else year for _, year, _ in ROWS], dtype=np.float64)},
    )


def wanted(*values: str, attribute: str = "genres") -> Limit:
    return Limit(attribute=attribute, operator="include", values=values)


def unwanted(*values: str, attribute: str = "genres") -> Limit:
    return Limit(attribute=attribute, operator="exclude", values=values)


def between(low: float | None, high: float | None, attribute: str = "year") -> Limit:
    return Limit(attribute=attribute, operator="range", low=low, high=high)
