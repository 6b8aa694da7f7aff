"""What a text says stands in one of its inputs, is said of the right one, and is said by sentences that claim nothing else."""

import random

import pytest

from instructrec.explain.cutting import cut, telling_wording, words_of
from instructrec.explain.telling import Phrase, Told, choose, in_both, plain, rarities, short_title, tell

WORDING = telling_wording()
KINDS = ("opening", "opening_again", "bare", "agreed", "shared", "shared_again", "person", "too")


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("Fans of dark crime novels and the sea would enjoy this book.", ["dark crime novels", "the sea"]),
        ("Readers who love slow romance, forbidden love and magic", ["slow romance", "forbidden love and magic"]),
        ("A place for an authentic, cozy evening with burgers.", ["an authentic cozy evening", "burgers"]),
        ("It is thrilling and full of whales.", ["something thrilling", "whales"]),
        ("a quiet town, family-friendly", ["a quiet town", "something family-friendly"]),
        ("Teenage detectives; sandwiches topped with cheese", ["teenage detectives", "sandwiches", "cheese"]),
        ("A sailor investigates the wreck of a ship.", ["a sailor", "the wreck of a ship"]),
        ("Top Chef fans and Stephen King readers", ["Top Chef", "Stephen King"]),
        ("a story by J. K. Rowling with owls", ["J. K. Rowling", "owls"]),
        ("", []),
        ("and of the , . !", []),
    ],
)
def test_phrases_are_cut_so_that_a_list_can_hold_them(text, phrases):
    assert cut(text, WORDING) == phrases


@pytest.mark.parametrize(
    "profile",
    [
        "Based on the user's purchase history and reviews, this user enjoys jazz.",
        "According to their reading history, jazz.",
        "It can be inferred from past purchases and ratings that they like jazz.",
    ],
)
def test_nothing_is_said_of_how_a_profile_came_about(profile):
    assert cut(profile, WORDING) == ["jazz"]


@pytest.mark.parametrize(
    ("profile", "likes", "denied"),
    [
        ("The user likes jazz but avoids gore and clowns.", {"jazz"}, {"gore", "clowns"}),
        ("They do not like gore; they like jazz.", {"jazz"}, {"gore"}),
        ("They don't enjoy gore. Jazz pleases them.", {"jazz"}, {"gore"}),
        ("They don’t enjoy gore, violence or clowns.", set(), {"gore", "violence", "clowns"}),
        ("Enjoys jazz without vulgar words, blood or noise.", {"jazz"}, {"vulgar", "blood", "noise"}),
        ("Likes jazz and is deterred by crowded spaces.", {"jazz"}, {"crowded", "spaces"}),
        ("Never wanted clowns but does want jazz.", {"jazz"}, {"clowns"}),
    ],
)
def test_what_is_denied_is_never_said(profile, likes, denied):
    said = {word for phrase in cut(profile, WORDING) for word in words_of(phrase)}
    assert likes <= said
    assert not denied & said
    told = choose("Sax", "Jazz, gore, clowns, violence and noise.", profile, {}, {})
    assert not denied & set(words_of(" ".join((*told.tastes, *told.both))))


def test_what_both_speak_of_is_the_longest_stretch_that_ends_a_phrase_of_one_of_them():
    assert in_both("Fans of contemporary romance novels.", "Likes paranormal romance novels.", WORDING) == ["romance novels"]
    assert in_both("With flawed bad boys.", "Novels with flawed bad boy characters.", WORDING) == ["flawed bad boys"]
    assert in_both("A casual bar.", "Casual hotels with a bar.", WORDING) == ["bar"]
    assert in_both("Stories and characters.", "Stories with characters.", WORDING) == []
    assert in_both("No gore.", "Gore.", WORDING) == in_both("Gore.", "No gore.", WORDING) == []


def test_words_of_the_item_and_of_the_person_are_not_mixed_up():
    told = choose("Moby", "A novel with whales, storms and jazz.", "Likes jazz, gardens and tulips.", {}, {})
    assert set(told.items) <= {"whales", "storms"}
    assert told.items
    assert told.both == ("jazz",)
    assert set(told.tastes) <= {"gardens", "tulips"}
    for kind in KINDS:  # of whom a sentence speaks
        for line in WORDING.sentences[kind]:
            assert ("{items}" in line) == (kind in ("opening", "opening_again"))
            assert ("{both}" in line) == (kind in ("agreed", "shared", "shared_again"))
            assert ("{tastes}" in line) == (kind in ("person", "too"))
            if "{items}" in line:
                assert "describes" in line or "description" in line or "To describe" in line
                assert "your" not in line
            if "{tastes}" in line or "{both}" in line:
                assert "profile" in line


def test_a_reason_is_claimed_only_where_both_texts_speak_of_it():
    lonely = Told("Moby", items=("whales",), tastes=("gardens",))
    for variant in range(200):
        text = tell(lonely, variant)
        assert not {"link", "overlap", "matches", "match", "hence", "therefore", "reason", "likewise"} & set(words_of(text))


def test_the_best_words_are_said_and_none_that_lower_the_agreement():
    weights, rarity = {"whales": 1.0, "tulips": 1.0}, dict.fromkeys(("whales", "storms", "gardens", "tulips"), 1.0)
    told = choose("Moby", "Storms, whales, harbours.", "Gardens; tulips.", weights, rarity)
    assert (told.items, told.tastes) == (("whales",), ("tulips",))


def test_an_author_is_named_only_where_the_text_names_one_behind_the_title():
    text = "Enjoy 'Life of Pi' by Yann Martel. The book has tigers."
    assert choose("Life of Pi", text, "", {}, {}).maker == "Yann Martel"
    assert choose("Life of Pi", "Fans of novels by Neil Gaiman would enjoy it.", "", {}, {}).maker == ""
    assert choose("Life of Pi", "Life of Pi by the author of tigers", "", {}, {}).maker == ""
    assert "by Yann Martel" in tell(choose("Life of Pi", text, "", {}, {}), 0)


@pytest.mark.parametrize(
    ("title", "said", "short"),
    [
        ("<b>Cats &amp; Dogs</b>: A Tale", "Cats & Dogs: A Tale", "Cats & Dogs"),
        ("{items} (Volume {0})", "items (Volume 0 )", "items"),
        ("[ Lies ] 2014", "[ Lies ] 2014", "[ Lies ] 2014"),
        ('The "Best" \n of', "The Best of", "The Best of"),
        ("50% %s \\d+ (?P<x>", "50% %s \\d+ (?P<x>", "50% %s \\d+"),
    ],
)
def test_titles_with_markup_brackets_or_signs(title, said, short):
    assert short_title(plain(title)) == (short if "<x>" not in title else short)
    text = tell(choose(title, f"{title} has whales.", "Likes whales.", {}, {}), 0)
    assert f"“{plain(title)}”" in text
    if "<x>" not in title:
        assert plain(title) == said


@pytest.mark.parametrize(
    ("inputs", "texts"),
    [
        (("", "", ""), {"Suggested: this one.", "Suggested here: this one.", "Here: this one.", "This one is suggested."}),
        (("Moby", "", ""), {"Suggested: “Moby”.", "Suggested here: “Moby”.", "Here: “Moby”.", "“Moby” is suggested."}),
        (("Moby", "Books and readers!", "The user enjoys books."), {"Suggested: “Moby”.", "Suggested here: “Moby”."}),
    ],
)
def test_without_anything_to_say_a_plain_true_sentence_is_left(inputs, texts):
    made = {tell(choose(*inputs, {}, {}), variant) for variant in range(20)}
    assert texts <= made
    assert all(len(words_of(text)) <= 4 for text in made)


def test_variants_differ_and_say_the_same():
    told = choose("Moby", "A novel with whales, storms and jazz.", "Likes jazz, gardens and tulips.", {}, {})
    texts = [tell(told, variant) for variant in range(300)]
    assert len(set(texts)) > 50
    assert tell(told, 7) == tell(told, 7)
    content = {tuple(sorted(set(words_of(text)) & {"moby", "whales", "storms", "jazz", "gardens", "tulips"})) for text in texts}
    assert len(content) == 1
    assert len(WORDING.sentences["opening"]) >= 16


def test_sentences_that_disturb_are_avoided():
    told = Told("Moby", items=("whales",))
    assert all("whoever" not in tell(told, variant, {"whoever": 9.0}).lower() for variant in range(60))


def test_each_word_of_a_text_stands_in_its_inputs_or_its_sentences():
    rng = random.Random(5)
    matter = ["whale", "storm", "harbor", "tulip", "robot", "castle", "violin", "desert", "lantern", "pirate", "engine", "orchid"]
    between = [
        "and",
        "of",
        "the",
        "a",
        "with",
        "who",
        "enjoy,",
        "love",
        ".",
        "but",
        "not",
        "never",
        "without",
        "-",
        ";",
        "in",
        "&amp;",
    ]
    between += ["<i>", "“", "(", "thrilling", "cozy", "topped", "quietly", "is"]
    rarity = rarities(matter)

    def made(words):
        return " ".join(rng.choice(matter if rng.random() < 0.5 else between) for _ in range(words))

    for _ in range(400):
        title, item, profile = made(rng.randrange(5)), made(rng.randrange(40)), made(rng.randrange(40))
        weights = {word: rng.random() for word in matter}
        told = choose(title, item, profile, weights, rarity)
        item_words, person_words = set(words_of(plain(item))), set(words_of(plain(profile)))
        own = {"something"}
        assert set(words_of(" ".join(told.items))) <= item_words | own
        assert set(words_of(" ".join(told.tastes))) <= person_words | own
        for phrase in told.both:
            assert set(words_of(phrase)) <= item_words & person_words | {"the"}
        allowed = item_words | person_words | set(words_of(plain(title))) | WORDING.own_words
        text = tell(told, rng.randrange(1000))
        assert set(words_of(text)) <= allowed
        assert "{" not in text
        assert text.endswith(".")


def test_no_more_words_are_said_than_the_limit_and_none_twice():
    item = ", ".join(f"noun{number} sea{number} land{number}" for number in range(30))
    weights = {word: 1.0 for word in words_of(item)}
    told = choose("Moby", item, "", weights, dict.fromkeys(weights, 1.0), limit=8)
    assert len(words_of(" ".join((told.title, *told.items)))) <= 8
    assert choose("Moby", "whales, whale, WHALES.", "", {"whales": 1.0}, {"whales": 1.0}).items == ("whales",)
    assert Phrase("The Sea", "item").words == ("the", "sea")
