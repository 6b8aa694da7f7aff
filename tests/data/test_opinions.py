"""What reviews say of features: quadruples by hand, and features of a made-up collection."""

from __future__ import annotations

import pytest

from instructrec.data.opinions import MOST_WORDS, Opinion, features_of, lexicon, opinions_in, sentences_of, with_opinions
from instructrec.data.reviews import Review

KNOWN = lexicon()


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("great sound", [Opinion("sound", "great", 1)]),
        ("the sound is not very good", [Opinion("sound", "good", -1)]),
        ("a great guitar strap for the price", [Opinion("strap", "great", 1)]),
        ("i love these strings", [Opinion("strings", "love", 1)]),
        ("i don't like the strap", [Opinion("strap", "like", -1)]),
        ("the clip is flimsy and the display is dim", [Opinion("clip", "flimsy", -1)]),
        (
            "good solid build quality at a fair price",
            [Opinion("quality", "good", 1), Opinion("quality", "solid", 1), Opinion("price", "fair", 1)],
        ),
        ("the cable is way too short", []),
        ("it is great", []),
        ("what a great one", []),
        ("great", []),
        ("", []),
    ],
)
def test_opinions_of_a_sentence(sentence, expected):
    assert opinions_in(sentence.split(), KNOWN) == expected


def test_only_given_features_count():
    words = ["great", "sound", "and", "a", "fair", "price"]
    assert opinions_in(words, KNOWN, frozenset({"price"})) == [Opinion("price", "fair", 1)]


def test_sentences_are_lower_case_words_and_long_ones_are_cut():
    text = "Great strap!It's 1.5 in. wide (I measured). Don’t worry:\nit holds."
    assert sentences_of(text) == [
        ["great", "strap"],
        ["it's", "1", "5", "in"],
        ["wide"],
        ["i", "measured"],
        ["don't", "worry"],
        ["it", "holds"],
    ]
    long = " ".join(["word"] * MOST_WORDS)
    assert sentences_of(f"the strap is fine, {long}, but dull") == [["the", "strap", "is", "fine"], long.split(), ["but", "dull"]]


TEXTS = [
    *["The strap is great and I want to play. Nice strap!"] * 3,
    *["Easy to play. I play the good guitar and you play. Great play of it."] * 3,
    *["A nice acoustic guitar. My acoustic guitar is good acoustic guitar."] * 3,
]


def test_features_are_names_of_things_of_which_something_is_said():
    assert features_of(TEXTS, KNOWN, least=3) == {"strap", "guitar"}
    assert features_of(TEXTS, KNOWN, least=7) == {"guitar"}
    assert features_of([], KNOWN) == frozenset()


def test_each_review_gets_its_best_sentence():
    texts = [
        "I got it. The strap is great. A nice strap is a good strap. Weak strap here.",
        "Nothing of it.",
        "The strap is not good.",
    ]
    reviews = [Review(user=str(number), item="i", rating=4.0, text=text) for number, text in enumerate(texts)]
    found = with_opinions(reviews, least=1)
    assert [(review.user, review.feature, review.opinion, review.sentence, review.sentiment) for review in found] == [
        ("0", "strap", "nice", "a nice strap is a good strap", 1),
        ("2", "strap", "good", "the strap is not good", -1),
    ]


def test_lists_do_not_contradict_each_other():
    lists = (KNOWN.positive, KNOWN.negative, KNOWN.liking, KNOWN.disliking)
    for place, one in enumerate(lists):
        assert not any(one & other for other in lists[:place])
    assert not KNOWN.before_things & KNOWN.before_deeds
