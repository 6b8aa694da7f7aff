"""English constructions that hold whatever words fill them: edges of years, threats, remainders, adverbs inside phrases."""

import pytest
from tests.instructions.shelves import SHELVES
from tests.instructions.worlds import hard

from instructrec.instructions import parse
from instructrec.instructions.lexicon import lexicon
from instructrec.instructions.reading.thinning import Thinner
from instructrec.instructions.tokens import tokenize

SENTENCES = [
    # the end and the beginning of a year
    ("made by the end of 1990", ["year <= 1990"]),
    ("no later than the end of 1990", ["year <= 1990"]),
    ("before the start of 1990", ["year <= 1989"]),
    ("that came out once 1990 was over", ["year >= 1991"]),
    ("it was already out by the time 1990 ended", ["year <= 1990"]),
    ("it wasn't out yet when 1990 ended", ["year >= 1991"]),
    ("that didn't exist until 1990", ["year >= 1990"]),
    ("don't go further back than 1990", ["year >= 1990"]),
    ("please don't look past 1990", ["year <= 1990"]),
    # ends that a "no" closes on both sides, and a year that is fine
    ("neither before 1980 nor after 1990", ["year 1980..1990"]),
    ("nothing earlier than 1980 or later than 1990", ["year 1980..1990"]),
    ("not earlier or later than 1990", ["year 1990..1990"]),
    ("not earlier and not later than 1990", ["year 1990..1990"]),
    ("1990 is okay but nothing earlier", ["year >= 1990"]),
    ("no 1990 and nothing after that", ["year <= 1989"]),
    ("the oldest may be from 1990", ["year >= 1990"]),
    ("1990 is as far back as I'll go", ["year >= 1990"]),
    # adverbs inside phrases, flight, lists of what is refused
    ("romances put me completely off", ["not genres: Romance"]),
    ("I can't honestly stand horror", ["not genres: Horror"]),
    ("I'd run a mile from westerns", ["not genres: Western"]),
    ("life's too short for westerns", ["not genres: Western"]),
    ("horror bores me and so does war", ["not genres: Horror | War"]),
    ("horror leaves me cold, war too", ["not genres: Horror | War"]),
    ("no horror, war too", ["not genres: Horror"]),
    ("neither of these two: horror, war", ["not genres: Horror | War"]),
    ("spare me the horror and the war", ["not genres: Horror | War"]),
    ("if it's a western, forget it", ["not genres: Western"]),
    ("skip everything that's not a western", ["genres: Western"]),
    # alternatives
    ("if it's not a comedy it has to be a drama", ["genres: Comedy | Drama"]),
    ("failing a comedy, it needs to be a drama", ["genres: Comedy | Drama"]),
    ("could be comedy, could be drama, but no third kind", ["genres: Comedy | Drama"]),
    ("I'm happy with comedy or drama but nothing other than that", ["genres: Comedy | Drama"]),
    ("ideally a comedy, nothing more", []),
    # a limit said by refusing all else, beside other clauses
    ("no western. I'm happy with comedy or drama but nothing other than those", ["genres: Comedy | Drama", "not genres: Western"]),
    ("any war, could be comedy, could be drama, but no third kind", ["genres: War", "genres: Comedy | Drama"]),
    ("comedy if you have it, otherwise drama, but not anything else; no war", ["genres: Comedy | Drama", "not genres: War"]),
    ("I hate war, comedy if you have it, otherwise drama, but not anything else", ["genres: Comedy | Drama", "not genres: War"]),
    ("nothing older than 1990, comedy or don't bother", ["genres: Comedy", "year >= 1990"]),
    ("anything but horror or war, I don't want anything I've already seen", ["not genres: Horror | War", "new"]),
    ("if it's not a comedy I don't want it and nothing with war", ["genres: Comedy", "not genres: War"]),
    # what ends a refusal
    ("I'm sick of war and limit it to comedy", ["genres: Comedy", "not genres: War"]),
    ("no war and the best comedies you have", ["genres: Comedy", "not genres: War"]),
    ("no western, no war and it must be a drama", ["genres: Drama", "not genres: War | Western"]),
    ("no war and the number of comedies must be two", ["not genres: War", "exactly 2: genres: Comedy"]),
    ("rule out war and have comedy in there at least four times", ["not genres: War", "at least 4: genres: Comedy"]),
    ("no war and rather comedy, if I get a choice", ["not genres: War"]),
    ("no war and if you can, comedies", ["not genres: War"]),
    ("not that kind of thing and from 1990 or later", ["year >= 1990"]),
    ("no comedy - leave out both war and horror", ["not genres: Comedy | Horror | War"]),
    ("1990 or older - neither of these two: horror, war", ["year <= 1990", "not genres: Horror | War"]),
    ("hide the ones I've already seen", ["new"]),
    ("comedies hide the ones I've already seen", ["genres: Comedy", "new"]),
    # a bound and a verdict on something else
    ("only stuff that's newer than 1990. westerns do nothing for me", ["year >= 1991", "not genres: Western"]),
    ("it should be from 1990 or older, war is a deal-breaker", ["year <= 1990", "not genres: War"]),
    ("skip whatever's from before 1980 or after 1990 and war is a no", ["year 1980..1990", "not genres: War"]),
    ("I loathe war, and 1990 is okay but nothing earlier", ["not genres: War", "year >= 1990"]),
    ("no war and the most recent may be from 1990", ["not genres: War", "year <= 1990"]),
    ("no 1990 and nothing after that and no war", ["year <= 1989", "not genres: War"]),
    ("if there are fewer than two comedies I'm off and no war", ["at least 2: genres: Comedy", "not genres: War"]),
    # alternatives, settings and counts beside other clauses
    ("in the war category, one of these two: comedy, drama", ["genres: War", "genres: Comedy | Drama"]),
    ("at most two from before 1990, set the genres to comedy", ["at most 2: year <= 1989", "genres: Comedy"]),
    ("a comedy one from 1990 or before", ["genres: Comedy", "year <= 1990"]),
    ("a comedy one for tonight", ["genres: Comedy"]),
    ("hey, got only three please and no war", ["n = 3", "not genres: War"]),
    ("how many? one", ["n = 1"]),
    ("recommendations for 12 good comedies titles", ["genres: Comedy", "n = 12"]),
    # clauses that tell, praise or count beside others
    ("a comedy don't show me anything I haven't seen", ["genres: Comedy", "known"]),
    ("a comedy one hide the ones I've already seen", ["genres: Comedy", "new"]),
    ("exactly three war and I'm all horror-ed out", ["exactly 3: genres: War", "not genres: Horror"]),
    ("I'd lean towards comedy without insisting on it and I'm all horror-ed out", ["not genres: Horror"]),
    ("comedy or nothing and I'd prefer war but it's not a must", ["genres: Comedy"]),
    ("no war and something comedy", ["genres: Comedy", "not genres: War"]),
    ("comedy and a handful of war recommendations", ["genres: Comedy", "genres: War"]),
    ("war isn't my thing and limit horror to one", ["not genres: War", "at most 1: genres: Horror"]),
    ("ten comedies, more than two war would be too many, fewer is fine", ["genres: Comedy", "n = 10", "at most 2: genres: War"]),
    ("a comedy only ones I've used or seen before, just stuff from 1990", ["genres: Comedy", "known", "year 1990..1990"]),
    ("1990, something my grandad would enjoy, limit it to comedy", ["genres: Comedy", "year 1990..1990"]),
    ("later than 1990, not that year itself and I'd rather not have horror", ["year >= 1991", "not genres: Horror"]),
    ("with a touch of comedy, more than two war would be too many", ["at most 2: genres: War"]),
    ("a few nice war titles, a few comedy picks", ["genres: Comedy", "genres: War"]),
    ("a few war films and a few comedy films", ["at least 3: genres: Comedy", "at least 3: genres: War"]),
    ("if it's older than 1990 forget it for tonight", ["year >= 1990"]),
    (
        "exclusively war - my choice is comedy, I don't want anything newer than 1990",
        ["genres: Comedy", "genres: War", "year <= 1990"],
    ),
    ("don't bother with anything outside comedy", ["genres: Comedy"]),
    ("something my grandad would enjoy and at least four comedies among them", ["at least 4: genres: Comedy"]),
    # what is new or known
    ("if I've seen it before, leave it out", ["new"]),
    ("if I don't know it already, I don't want it", ["known"]),
    ("exclude everything I've already seen or tried", ["new"]),
    ("I've had a rough week", []),
    # who speaks of himself behind two things speaks of both
    ("comedy and westerns, I'm tired of both", ["not genres: Comedy | Western"]),
    ("a drama, comedy and westerns I'm not keen on", ["genres: Drama", "not genres: Comedy | Western"]),
    ("comedy and westerns are both not my thing", ["not genres: Comedy | Western"]),
    # several things said of one item
    ("nothing that is both a comedy and a romance", ["exactly 0: genres: Comedy & genres: Romance"]),
    ("a drama, but I hate films that are both horror and comedy", ["genres: Drama", "exactly 0: genres: Comedy & genres: Horror"]),
    ("leave out both comedy and romance", ["not genres: Comedy | Romance"]),
    ("comedy and romance are both out", ["not genres: Comedy | Romance"]),
    ("something that is both a comedy and a romance", ["genres: Comedy", "genres: Romance"]),
    # choice and chance
    ("if you can, a western", []),
    ("a western, if I get a choice", []),
    ("show me westerns if you can", ["genres: Western"]),
    # how many
    ("two comedies and the rest not", ["exactly 2: genres: Comedy"]),
    ("two of them comedies, the rest can be anything", ["at least 2: genres: Comedy"]),
    ("comedy in two of the items and in none of the others", ["exactly 2: genres: Comedy"]),
    ("four comedies in there, and I do mean exactly that many", ["exactly 4: genres: Comedy"]),
    ("comedies are okay but two at most", ["at most 2: genres: Comedy"]),
    ("go easy on comedies, no more than two", ["at most 2: genres: Comedy"]),
    ("limit comedies to one", ["at most 1: genres: Comedy"]),
    ("fewer than two comedies won't do", ["at least 2: genres: Comedy"]),
    ("anything above two comedies is overkill", ["at most 2: genres: Comedy"]),
    ("if there aren't at least two comedies I'm not happy", ["at least 2: genres: Comedy"]),
    ("if there are fewer than two comedies I'll be cross", ["at least 2: genres: Comedy"]),
    ("if there are more than two comedies I'm off", ["at most 2: genres: Comedy"]),
    ("if there are at least two comedies I'm happy", ["at least 2: genres: Comedy"]),
    ("if there are more than two comedies I won't complain", ["at least 3: genres: Comedy"]),
    ("four from before 1990 at most", ["at most 4: year <= 1989"]),
    ("limit the pre-1990 ones to two", ["at most 2: year <= 1989"]),
]


@pytest.mark.parametrize(("text", "expected"), SENTENCES, ids=[text for text, _ in SENTENCES])
def test_sentences(text, expected):
    films = SHELVES["films"]("en")
    assert hard(parse(text, films, language="en"), films) == set(expected)


@pytest.mark.parametrize(
    ("text", "length"), [("can't honestly stand horror", 3), ("don't always want horror", 0), ("can't stand horror", 0)]
)
def test_adverbs_inside_a_phrase_are_skipped_unless_they_weaken_it(text, length):
    found = Thinner([token.key for token in tokenize(text)], lexicon("en")).find(0)
    assert (found[1] if found else 0) == length
