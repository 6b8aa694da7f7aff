"""What people say of prices, budgets, lengths and bare numbers in everyday requests: what must be read, and what must not."""

import pytest
from tests.instructions.shelves import SHELVES
from tests.instructions.worlds import hard

from instructrec.instructions import describe, parse

SHOP, FILMS = SHELVES["shop"]("en"), SHELVES["films"]("en")

TOO_MUCH = [
    "can't spend more than 20 dollars",
    "I won't pay over $20",
    "I'd rather not spend more than 20 bucks",
    "I refuse to spend more than 20",
    "we can't afford more than $20",
    "I don't want to go over 20",
    "I don't have more than $20",
    "nothing that costs more than 20",
    "I can't do more than 20 dollars",
    "I can go up to $20",
]


@pytest.mark.parametrize("text", TOO_MUCH)
def test_what_one_cannot_spend_is_a_ceiling(text):
    found = parse(text, SHOP)
    assert hard(found, SHOP) == {"price <= 20"}
    assert not found.seen


@pytest.mark.parametrize("text", [text for text in TOO_MUCH if "have" not in text and "go up" not in text])
@pytest.mark.parametrize("wanted", [" on a perfume", " for a perfume"])
def test_what_it_is_spent_on_stays_wanted(text, wanted):
    assert hard(parse(text + wanted, SHOP), SHOP) == {"price <= 20", "category: Perfume"}


def test_what_one_does_not_want_to_pay_less_than_is_a_floor():
    assert hard(parse("I don't want to spend less than $50 on a perfume", SHOP), SHOP) == {"price >= 50", "category: Perfume"}


@pytest.mark.parametrize(
    "text",
    [
        "I have $40",
        "I only have 40 dollars",
        "all I have is 40 dollars",
        "I've got 40 bucks",
        "my budget is $40",
        "budget of $40",
        "$40 budget",
        "budget 40 dollars",
        "budget: 40",
        "my max is 40",
        "$40 is my limit",
        "40 would be my limit",
        "limit of $40",
        "price limit 40",
        "I can spend 40 dollars",
        "I can afford $40",
        "I can go to $40",
        "I'm willing to pay 40 dollars",
        "I got 40 bucks to spend",
        "40 dollar gift card",
        "what can I get for $40?",
        "would 40 get me something?",
        "paying 40 is fine",
    ],
)
def test_what_there_is_to_spend_is_a_ceiling(text):
    found = parse(text, SHOP)
    assert hard(found, SHOP) == {"price <= 40"}
    assert found.n is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a lipstick under 20", {"price < 20", "category: Lipstick"}),
        ("mascara under 20, black", {"price < 20", "category: Mascara", "color: Black"}),
        ("Kiyomi under 15", {"price < 15", "brand: Kiyomi"}),
        ("mascara max 15", {"price <= 15", "category: Mascara"}),
        ("mascara up to 15", {"price <= 15", "category: Mascara"}),
        ("25 max for a moisturizer", {"price <= 25", "category: Moisturizer"}),
        ("perfume. 60 max.", {"price <= 60", "category: Perfume"}),
        ("somewhere between 50 and 70 for a perfume", {"price 50..70", "category: Perfume"}),
        ("perfume 50-70", {"price 50..70", "category: Perfume"}),
        ("20-30 dollars", {"price 20..30"}),
        ("a perfume worth at least 50", {"price >= 50", "category: Perfume"}),
        ("lipstick for $15", {"price <= 15", "category: Lipstick"}),
        ("lipstick under 20 with at least 4 stars", {"price < 20", "category: Lipstick", "rating >= 4"}),
        ("rated 4 or above under 20", {"price < 20", "rating >= 4"}),
        ("has to be under 20", {"price < 20"}),
        ("keep it under 60", {"price < 60"}),
        ("five lipsticks under 20", {"price < 20", "category: Lipstick", "n = 5"}),
        ("no more than three over $20", {"at most 3: price > 20"}),
        ("under 20, no wait, 30", {"price < 30"}),
    ],
)
def test_a_bare_number_behind_one_thing_is_a_price(text, expected):
    assert hard(parse(text, SHOP), SHOP) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("at most 3 lipsticks", {"at most 3: category: Lipstick"}),
        ("Kiyomi, at most 3", {"at most 3: brand: Kiyomi"}),
        ("between 10 and 20 lipsticks", {"at least 10: category: Lipstick", "at most 20: category: Lipstick"}),
        ("give me 20", {"n = 20"}),
        ("max 15 results", {"n = 15"}),
        ("limit yourself to 12", {"n = 12"}),
        ("max 5", {"n = 5"}),
    ],
)
def test_a_number_beside_what_it_counts_stays_a_count(text, expected):
    assert hard(parse(text, SHOP), SHOP) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("max 20", set()),
        ("20, maybe 25", set()),
        ("I paid $60 last time", set()),
        ("I don't mind spending more than 50", set()),
        ("two lipsticks for 25 total", {"category: Lipstick", "n = 2"}),
        ("three lipsticks, no more than 40 altogether", {"category: Lipstick", "n = 3"}),
        ("SPF 50 sunscreen", {"category: Sunscreen"}),
        ("20% off lipstick", {"category: Lipstick"}),
        ("lipsticks, 20 max", {"category: Lipstick"}),
    ],
)
def test_amounts_that_nothing_can_express_are_handed_back(text, expected):
    found = parse(text, SHOP)
    assert hard(found, SHOP) == expected
    assert found.not_understood


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("under two hours please", {"runtime <= 119"}),
        ("I want something under 100 minutes", {"runtime <= 99"}),
        ("nothing longer than 2 hours", {"runtime <= 120"}),
        ("90 minutes tops", {"runtime <= 90"}),
        ("a comedy under 90 min", {"runtime <= 89", "genres: Comedy"}),
        ("at most an hour and a half", {"runtime <= 90"}),
        ("two and a half hours max", {"runtime <= 150"}),
        ("1h30 max", {"runtime <= 90"}),
        ("between one and two hours", {"runtime 60..120"}),
        ("1.5 to 2 hours", {"runtime 90..120"}),
        ("we have two hours", {"runtime <= 120"}),
        ("I don't have more than two hours", {"runtime <= 120"}),
        ("I can't sit through more than two hours", {"runtime <= 120"}),
        ("comedy, 100 minutes or shorter", {"runtime <= 100", "genres: Comedy"}),
        ("before bed, an hour and a half", set()),
        ("I get bored after two hours", set()),
        ("a two hour drama", {"genres: Drama"}),
    ],
)
def test_lengths_of_time(text, expected):
    found = parse(text, FILMS)
    assert hard(found, FILMS) == expected
    assert not found.seen


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("not from the 80s", {"exactly 0: year 1980..1989"}),
        ("no 80s movies", {"exactly 0: year 1980..1989"}),
        ("anything but the 80s", {"exactly 0: year 1980..1989"}),
        ("not 1980", {"exactly 0: year 1980..1980"}),
        ("not between 1980 and 1990", {"exactly 0: year 1980..1990"}),
        ("a comedy, but not from the 80s", {"exactly 0: year 1980..1989", "genres: Comedy"}),
        ("nothing too old, say before 1970", {"year >= 1970"}),
    ],
)
def test_unwanted_years(text, expected):
    found = parse(text, FILMS)
    assert hard(found, FILMS) == expected
    assert hard(parse(describe(found), FILMS), FILMS) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("after '95", {"year >= 1996"}),
        ("from '85 to '92", {"year 1985..1992"}),
        ("up from 1990", {"year >= 1990"}),
        ("85-92", set()),
        ("tonight at 8 we want to watch a comedy", {"genres: Comedy"}),
        ("it's 9 already, a comedy", {"genres: Comedy"}),
        ("2 adults, 2 kids, comedy please", {"genres: Comedy"}),
        ("the kids are 8 and 10, animation", {"genres: Animation"}),
        ("from 1980, or a bit earlier", set()),
        ("I don't watch old stuff, 1980 is the cutoff", set()),
        ("Nothing made before I was born, which was 1985", set()),
        ("It's my 1990 baby's birthday, a comedy", {"genres: Comedy"}),
        ("better than Static", {"like: Static"}),
        ("five films, none from the same decade", {"n = 5"}),
        ("a dozen comedies, a couple of dramas", {"at least 12: genres: Comedy", "at least 2: genres: Drama", "n = 14"}),
        ("three comedies and a few dramas", {"at least 3: genres: Comedy", "at least 3: genres: Drama"}),
        ("mostly comedies, a few dramas", {"at least 6: genres: Comedy", "at least 3: genres: Drama"}),
        ("a mix of comedies and dramas, no more than 6", {"genres: Comedy | Drama", "n = 6"}),
    ],
)
def test_numbers_of_years_hours_persons_and_mixes(text, expected):
    assert hard(parse(text, FILMS), FILMS) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("runtime not under 93 and not over 139", {"runtime 93..139"}),
        ("runtime minimum 93, maximum 116", {"runtime 93..116"}),
        ("a runtime no lower than 90 and no higher than 121 for tonight", {"runtime 90..121"}),
        ("runtime no less than 87 and no more than 125", {"runtime 87..125"}),
        ("runtime not over 120, not under 90", {"runtime 90..120"}),
        ("runtime from 116 through 143", {"runtime 116..143"}),
        ("runtime at least 90, at most 20 comedies", {"runtime >= 90", "at most 20: genres: Comedy"}),
        ("rated 4 or above, under 120", {"rating >= 4"}),
        ("runtime is over 120", {"runtime >= 121"}),
        ("runtime is over 120 minutes", {"runtime >= 121"}),
        ("nothing if the runtime is past 120 minutes", {"runtime <= 120"}),
        ("by the time 1990 was over", {"year <= 1990"}),
        ("released up to but not including 1992", {"year <= 1991"}),
        ("something made up to, but not including, 1992", {"year <= 1991"}),
        ("got any recommendations for up to but not including 1992 and show me 19", {"year <= 1991", "n = 19"}),
        ("comedies up to 1992 excluding horror", {"genres: Comedy", "year <= 1992", "not genres: Horror"}),
    ],
)
def test_both_ends_of_a_named_number(text, expected):
    assert hard(parse(text, FILMS), FILMS) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rated 4 or above, under 20", {"rating >= 4", "price < 20"}),
        ("price minimum 10, maximum 20", {"price 10..20"}),
        ("hey, got top 11", {"n = 11"}),
        ("hey, got 18 overall", {"n = 18"}),
    ],
)
def test_a_further_bound_is_of_the_number_it_fits(text, expected):
    assert hard(parse(text, SHOP), SHOP) == expected
