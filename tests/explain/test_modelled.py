"""Reasons that a language model writes: shown only if true, complete, and not the grammar's; drawn again, else the grammar."""

from dataclasses import replace

import numpy as np
import pytest
from tests.explain.worlds import Linear, film_world, shown
from tests.hostile import TITLES

from instructrec.core import Query
from instructrec.errors import ModelError, QueryError
from instructrec.explain import Manner, explain, explain_batch, measure_influence
from instructrec.explain.cues import cues
from instructrec.explain.facts import Lore, collect
from instructrec.explain.modelled import DRAWS
from instructrec.explain.phrases import phrases
from instructrec.explain.planning import plan_of
from instructrec.explain.practice import lessons, practised
from instructrec.explain.selection import select
from instructrec.explain.served import ServedWriter, prompt_of
from instructrec.explain.standing import standing_problems
from instructrec.explain.verification import problems
from instructrec.explain.writing import could_write
from instructrec.instructions import parse
from instructrec.instructions.plans import LENGTHS, SLOTS, TOLD, TONES, Plan, seeds

WORLD = film_world()
HISTORY = ("i0", "i1", "i2", "i3")
GOOD = "{h1} led here first, then {h2} and {h3}. It carries {shared} as well, like {h1}".replace(", like {h1}", "") + ": {fit}."


class Says:
    """A text model that says given texts, one a call, and remembers the outlines it was given."""

    language = "en"

    def __init__(self, *texts):
        self.texts = texts
        self.calls = []

    def write(self, plans, *, seeds):
        self.calls.append((list(plans), list(seeds)))
        text = self.texts[min(len(self.calls), len(self.texts)) - 1]
        if isinstance(text, Exception):
            raise text
        return [text] * len(plans)


def asked(model, *items, query=None, **manner):
    recommendation = shown(query or Query(history=HISTORY), *items)
    return explain(Linear().fit(WORLD), recommendation, WORLD, manner=Manner(model=model, **manner))


def test_a_true_text_of_the_model_is_shown_with_its_evidence():
    [found] = asked(Says(GOOD), "i4")
    assert (found.status, found.written_by) == ("verified", "model")
    assert found.text.startswith("“Toy Story” led here first, then “Aladdin” and “Drama Queen”.")
    assert [entry.kind for entry in found.evidence] == ["history", "history", "history", "attribute", "rank"]
    assert found.evidence[-1].value == "1"


BAD = {
    "incomplete": "{h1} led here: {fit}.",
    "another slot": "{h1}, {h2}, {h3}, {shared}, {count}: {fit}.",
    "false": "Nothing in it is like {h1}, {h2} and {h3}, and it is not {shared}: {fit}.",
    "invented": "{h1}, {h2} and {h3} brought “Jaws” along, with {shared}: {fit}.",
    "denies its place": "{h1}, {h2} and {h3} have {shared}, but it is not {fit}.",
    "of the grammar": "Above all, {h1}, {h2} and {h3} brought it here. It shares {shared} ({attribute}) with it. It is {fit}.",
    "nothing": "",
    "failed": ModelError("The model is gone."),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_text_is_drawn_again(bad):
    model = Says(bad, bad, GOOD)
    [found] = asked(model, "i4")
    assert (found.status, found.written_by) == ("verified", "model")
    assert len(model.calls) == 3 and len({seeds[0] for _, seeds in model.calls}) == 3


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_after_some_draws_the_grammar_writes_and_says_so(bad):
    model = Says(bad)
    [found] = asked(model, "i4")
    assert (found.status, found.written_by) == ("fallback", "grammar") and len(model.calls) == DRAWS
    [plain] = asked(None, "i4")
    assert found.text == plain.text and (plain.status, plain.written_by) == ("verified", "grammar")


def test_only_what_failed_is_drawn_again():
    class Half(Says):
        def write(self, plans, *, seeds):
            super().write(plans, seeds=seeds)
            return [GOOD if plan.words["item"] == "“Toy Story 2”" else "" for plan in plans]

    model = Half("")
    found = asked(model, "i4", "i5")
    assert [entry.written_by for entry in found] == ["model", "grammar"]
    assert [len(plans) for plans, _ in model.calls] == [2, 1, 1]


def test_another_language_is_left_to_the_grammar():
    model = Says(GOOD)
    recommendation = shown(Query(history=HISTORY), "i4")
    [found] = explain(Linear().fit(WORLD), recommendation, WORLD, language="zh", manner=Manner(model=model))
    assert (found.status, found.written_by, model.calls) == ("verified", "grammar", [])


def test_tone_and_length_reach_the_model_and_length_says_how_much():
    model = Says(GOOD)
    for length, named in (("short", 1), ("medium", 3), ("long", 3)):
        asked(model, "i4", tone="warm", length=length)
        plan = model.calls[-1][0][0]
        assert (plan.tone, plan.length) == ("warm", length)
        assert sum(slot in plan.words for slot in ("h1", "h2", "h3")) == named
    [found] = asked(None, "i4", length="long")
    assert "popularity" in [entry.kind for entry in found.evidence]
    with pytest.raises(QueryError, match="no length 'longer'"):
        Manner(length="longer")


def test_bounds_are_said_by_the_grammar_beside_the_text_of_the_model():
    query = Query(history=HISTORY, instruction=parse("between 1990 and 2000", WORLD.catalog))
    [found] = asked(Says("{h1} led here first, then {h2} and {h3}. It has {shared}: {fit}."), "i4", query=query)
    assert found.written_by == "model" and "1999" in found.text and "1990" in found.text


def test_hostile_titles_do_not_reach_a_text_as_anything_but_titles():
    """Whatever a title says stands in quotation marks in the text, and the model never reads it."""
    for title in TITLES:
        model = Says("{h1} leads here: {fit}.")
        odd = replace(WORLD, catalog=replace(WORLD.catalog, titles=(title, *WORLD.catalog.titles[1:])))
        recommendation = shown(Query(history=("i0",)), "i4")
        [found] = explain(Linear().fit(odd), recommendation, odd, manner=Manner(model=model), max_evidence=1)
        assert found.status in ("verified", "fallback") and found.text
        read = [word for plans, _ in model.calls for slot, word in plans[0].words.items() if slot in TOLD]
        assert not any(title in word for word in read) or title in ("", "Comedy", "Animation")


# How well an item fits


def facts_at(rank):
    recommendation = shown(Query(history=HISTORY), "i4")
    model = Linear().fit(WORLD)
    [influence] = measure_influence(model, [recommendation])
    [facts] = collect(Lore.of(WORLD, phrases("en")), recommendation, influence)
    return type(facts)(**{name: getattr(facts, name) for name in facts.__slots__} | {"rank": rank})


@pytest.mark.parametrize("language", ["en", "zh"])
def test_words_for_how_well_it_fits_must_be_those_of_its_place(language):
    every = phrases(language).sentences
    bands = {"first": (1, 5), "second": (6, 10), "third": (11, 15), "fourth": (16, 200)}
    for name in bands:
        for phrase in every["standing", name]:
            for other, places in bands.items():
                for rank in places:
                    found = standing_problems(f"It is {phrase}.", facts_at(rank), cues(language))
                    assert bool(found) is (other != name), (phrase, rank, found)


def test_texts_against_the_rank_are_refused():
    assert not problems("It is one of your best matches.", facts_at(3))
    assert problems("It is a looser match for you.", facts_at(3))
    assert problems("It is not one of your best matches.", facts_at(3))
    assert problems("A long shot, if anything.", facts_at(1))


# Outlines and practice


def test_an_outline_holds_the_evidence_in_slots():
    facts = facts_at(2)
    plan, rest = plan_of(select(facts), facts, variant=0)
    assert list(plan.words) == ["h1", "h2", "h3", "shared", "attribute", "fit", "item"] and rest == ()
    assert plan.words["h1"] == "“Toy Story”" and plan.words["item"] == "“Toy Story 2”"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_practice_is_about_true_things(language):
    pairs = lessons(WORLD, language=language, passes=1, seed=0)
    assert len(pairs) > len(seeds(language)) / 2
    assert all(plan.is_said_by(seed.text) for plan, seed in pairs)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_nearly_all_texts_by_hand_are_true_of_what_they_are_filled_with(language):
    lore, rng = Lore.of(WORLD, phrases(language)), np.random.default_rng(0)
    refused, told = [], 0
    for seed in seeds(language):
        made = practised(seed.slots, lore, rng)
        if made is not None:
            facts, evidence = made
            plan, _ = plan_of(evidence, facts, variant=told, tone=seed.tone, length=seed.length)
            told += 1
            refused += [seed.text] if problems(plan.filled(seed.text), facts) else []
    assert told > 100 and len(refused) / told < 0.08, refused


def test_texts_that_the_grammar_has_are_known():
    grammar = phrases("en")
    assert could_write("You picked {h1}, and that weighs most here. It is {fit}.", grammar)
    assert not could_write("You picked {h1}, and so it is {fit}.", grammar) and not could_write("", grammar)


def test_lists_together_equal_single_ones():
    lists = [shown(Query(history=HISTORY), "i4", "i5"), shown(Query(history=("i0",)), "i1")]
    model = Linear().fit(WORLD)
    together = explain_batch(model, lists, WORLD, manner=Manner(model=Says(GOOD)))
    assert together == [explain(model, one, WORLD, manner=Manner(model=Says(GOOD))) for one in lists]


# A served model


class Serves:
    """A language model that answers every prompt with one text, or fails."""

    def __init__(self, said):
        self.said, self.prompts = said, []

    def generate(self, prompts, *, max_tokens, temperature=0.0, seed=0, stop=()):
        self.prompts += prompts
        if isinstance(self.said, Exception):
            raise self.said
        return [self.said] * len(prompts)


def test_a_served_model_writes_and_is_told_no_titles():
    served = Serves(f"<think>They like toys.</think>\n {GOOD}\n")
    [found] = asked(ServedWriter(lambda: served, language="en"), "i4", tone="brisk")
    assert found.written_by == "model" and found.text.startswith("“Toy Story” led here first")
    [prompt] = served.prompts
    assert not any(title and title in prompt for title in WORLD.catalog.titles)
    assert "{shared}: a value (Animation)" in prompt and "terse" in prompt and "{outline}" not in prompt


def test_a_server_that_is_gone_is_asked_once_and_the_grammar_writes():
    tries = []

    def find():
        tries.append(1)
        raise ModelError("No server there.")

    writer = ServedWriter(find, language="en")
    for _ in range(2):
        [found] = asked(writer, "i4")
        assert (found.status, found.written_by) == ("fallback", "grammar") and found.text
    assert len(tries) == 1


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_slot_tone_and_length_has_words(language):
    for tone in TONES:
        for length in LENGTHS:
            plan = Plan(words={slot: "{prompt}" for slot in SLOTS}, tone=tone, length=length)
            prompt = prompt_of(plan, language)
            assert all(f"{{{slot}}}: " in prompt for slot in SLOTS) and "{tone}" not in prompt and "{words}" not in prompt
