"""Following sentences refine, replace, point back and take back. One line a conversation."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.instructions.films import between, films, unwanted, wanted
from tests.instructions.shelves import film_shelf

from instructrec import wire
from instructrec.core import Instruction, Quota
from instructrec.errors import QueryError
from instructrec.instructions import Dialogue, refine
from instructrec.instructions.limits import MOST_QUOTAS
from instructrec.tables import Catalog, Labels

FILMS = films()

CONVERSATIONS = [
    (["a comedy", "from the 90s"], [wanted("Comedy"), between(1990, 1999)]),
    (["a comedy from the 90s", "no romance"], [wanted("Comedy"), between(1990, 1999), unwanted("Romance")]),
    (["a comedy, no romance", "no horror either"], [wanted("Comedy"), unwanted("Romance", "Horror")]),
    (["since 1980", "before 1995"], [between(1980, 1994)]),
    (["from the 80s", "from the 90s"], [between(1990, 1999)]),
    (["a comedy", "no comedies"], [unwanted("Comedy")]),
    (["no romance", "a romance"], [wanted("Romance")]),
    (["a comedy", "actually a western instead"], [wanted("Western")]),
    (["a comedy", "a romantic one"], [wanted("Comedy"), wanted("Romance")]),
    (["a crime drama", "without that"], [wanted("Crime"), unwanted("Drama")]),
    (["a comedy", "from the 90s", "undo"], [wanted("Comedy")]),
    (["a comedy", "undo"], []),
    (["undo"], []),
    (["a comedy", "start over", "a western"], [wanted("Western")]),
    (["一部喜剧"], []),
]


def after(sentences, catalog=FILMS, **how):
    dialogue = Dialogue()
    for sentence in sentences:
        dialogue = dialogue.say(sentence, catalog, **how)
    return dialogue


@pytest.mark.parametrize(("sentences", "limits"), CONVERSATIONS, ids=[" | ".join(said) for said, _ in CONVERSATIONS])
def test_what_holds_after_the_last_sentence(sentences, limits):
    standing = after(sentences).standing
    assert set(standing.limits if standing else ()) == set(limits)


def test_chinese_sentences_refine_alike():
    shelf = film_shelf("zh")
    value = shelf.labels["genres"].names[0]
    standing = after([f"想看{value}", "九十年代的"], shelf, language="zh").standing
    assert set(standing.limits) == {wanted(value), between(1990, 1999)}
    assert after([f"想看{value}", "不要这个"], shelf, language="zh").standing.limits == (unwanted(value),)
    assert after([f"想看{value}", "撤销"], shelf, language="zh").standing is None


def test_a_place_in_the_list_is_an_item():
    standing = after(["something like the second one"], shown=("3", "9", "6")).standing
    assert standing.like == ("9",)
    assert after(["like the last one"], shown=("3", "9", "6")).standing.like == ("6",)
    assert after(["like number 7"], shown=("3",)).standing.like == ()


def test_a_bare_comparison_is_one_with_the_list():
    # Of Toy Story (1995), Alien (1979) and Evita (1996) the median is 1995.
    standing = after(["a comedy", "newer"], shown=("0", "6", "11")).standing
    assert set(standing.limits) == {wanted("Comedy"), between(1996, None)}
    assert standing.not_understood == ()
    assert after(["older, please"], shown=("0", "6", "11")).standing.limits == (between(None, 1994),)
    assert after(["newer"]).standing.limits == ()
    assert after(["newer than 1980"], shown=("0",)).standing.limits == (between(1981, None),)
    assert after(["新一点"], film_shelf("zh"), language="zh", shown=film_shelf("zh").item_ids[:3]).standing.limits


def test_how_many_seen_and_examples_are_kept_until_they_are_said_anew():
    standing = after(["five films like “Annie Hall” that I haven't seen", "only three"]).standing
    assert (standing.n, standing.seen, standing.like) == (3, "new", ("9",))
    assert after(["something like “Annie Hall”", "not like “Annie Hall”"]).standing.unlike == ("9",)


def test_wishes_add_up_and_the_text_is_what_was_said_last():
    standing = after(["something dark, ideally a western", "something quiet"]).standing
    assert "dark" in standing.wish
    assert "quiet" in standing.wish
    assert standing.text == "something quiet"


def test_the_state_can_be_shown_edited_and_read_back():
    dialogue = after(["a comedy", "from the 90s"])
    state = json.loads(json.dumps(dialogue.to_json(FILMS)))
    assert Dialogue.from_json(state, FILMS) == dialogue
    state[-1]["limits"] = [{"attribute": "genres", "operator": "include", "values": ["Western"]}]
    assert Dialogue.from_json(state, FILMS).say("no war", FILMS).standing.limits == (wanted("Western"), unwanted("War"))


@pytest.mark.parametrize(
    ("state", "named"),
    [({}, "list"), ([{"limits": 3}], "turns\\[0\\].*limits"), (["x"], "turns\\[0\\]"), ([{"seen": "maybe"}], "seen")],
)
def test_a_state_that_is_none_is_refused_by_its_field(state, named):
    with pytest.raises(QueryError, match=named):
        Dialogue.from_json(state, FILMS)


WORDS = st.sampled_from(
    [
        "a comedy",
        "no romance",
        "without him",
        "the first one",
        "newer",
        "undo",
        "start over",
        "90s",
        "like",
        ",",
        "不要",
        "第一个",
        "\x00",
        "five",
        "instead",
    ]
)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.lists(st.lists(WORDS, max_size=5).map(" ".join) | st.text(max_size=40), max_size=5))
def test_no_conversation_raises_or_contradicts_itself(sentences):
    standing = after(sentences, shown=("3", "9")).standing
    limits = standing.limits if standing else ()
    include = {value for limit in limits if limit.operator == "include" for value in limit.values}
    exclude = {value for limit in limits if limit.operator == "exclude" for value in limit.values}
    assert not include & exclude
    assert len({limit.attribute for limit in limits if limit.operator == "range"}) == sum(
        limit.operator == "range" for limit in limits
    )


MAKERS = Catalog(
    item_ids=tuple(f"i{place}" for place in range(70)),
    titles=tuple(f"Thing {place}" for place in range(70)),
    labels={"maker": Labels.build([(f"Maker{place:02d}",) for place in range(70)])},
)


def asks(place, least=1):
    return Quota(limits=(wanted(f"Maker{place:02d}", attribute="maker"),), at_least=least)


@pytest.mark.parametrize("at_once", [1, 3, 70])
def test_of_more_quotas_than_can_be_sent_back_the_oldest_give_way(at_once):
    """What is said is what the owner's form sends: the rules for words are tested elsewhere."""
    dialogue, said = Dialogue(), list(range(70))
    for start in range(0, 70, at_once):
        turn = Instruction(text="more", quotas=tuple(asks(place) for place in said[start : start + at_once]))
        dialogue = Dialogue((*dialogue.turns, refine(dialogue.standing, turn, MAKERS)))
        assert (
            Dialogue.from_json(json.loads(json.dumps(dialogue.to_json(MAKERS))), MAKERS).standing.quotas == dialogue.standing.quotas
        )
    assert dialogue.standing.quotas == tuple(asks(place) for place in said[-MOST_QUOTAS:])
    given_up = [int(note.partition(":")[2]) for turn in dialogue.turns for note in turn.notes]
    assert sum(given_up) == 70 - MOST_QUOTAS
    for language, words in (("en", "the oldest were given up"), ("zh", "放弃了最早的")):
        assert words in wire.note(dialogue.standing.notes[-1], language=language)


def test_a_quota_that_is_said_again_is_young_again():
    first = Instruction(text="", quotas=tuple(asks(place) for place in range(MOST_QUOTAS)))
    again = refine(first, Instruction(text="", quotas=(asks(0, least=2),)), MAKERS)
    assert again.quotas[-1] == asks(0, least=2) and len(again.quotas) == MOST_QUOTAS and not again.notes
    full = refine(again, Instruction(text="", quotas=(asks(60),)), MAKERS)
    assert full.quotas[-2:] == (asks(0, least=2), asks(60)) and asks(1) not in full.quotas and full.notes == ("quotas_given_up:1",)
