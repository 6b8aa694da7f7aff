"""English that is said less often: idioms that refuse, want or wish, words of regions, what is new or known."""

import pytest
from tests.instructions.shelves import SHELVES
from tests.instructions.worlds import hard

from instructrec.instructions import parse

SENTENCES = [
    # verdicts behind a thing
    ("horror can do one", ["not genres: Horror"]),
    ("horror and war can both take a running jump", ["not genres: Horror | War"]),
    ("westerns get the chop", ["not genres: Western"]),
    ("westerns go straight in the bin, and a comedy please", ["not genres: Western", "genres: Comedy"]),
    ("from 1990 on, and war is off the table", ["year >= 1990", "not genres: War"]),
    ("war is a bridge too far. something from the 90s", ["not genres: War", "year 1990..1999"]),
    ("horror is not my idea of fun, comedies only", ["not genres: Horror", "genres: Comedy"]),
    ("horror gives me the heebie-jeebies", ["not genres: Horror"]),
    ("a comedy; horror makes me want to hurl", ["genres: Comedy", "not genres: Horror"]),
    ("horror winds me up and so does war", ["not genres: Horror | War"]),
    ("westerns don't float my boat", ["not genres: Western"]),
    ("horror needn't apply", ["not genres: Horror"]),
    ("westerns and I don't mix", ["not genres: Western"]),
    ("crime, war: both out", ["not genres: Crime | War"]),
    ("horror and crime? not on your life", ["not genres: Crime | Horror"]),
    ("drama's a big fat no, comedy's fine", ["not genres: Drama"]),
    ("war's off the table and comedy please", ["not genres: War", "genres: Comedy"]),
    ("deal-breakers: horror", ["not genres: Horror"]),
    ("my pet hate is horror, and at least two comedies please", ["not genres: Horror", "at least 2: genres: Comedy"]),
    # verdicts that refuse nothing, or praise
    ("horror isn't a problem", []),
    ("horror isn't off limits", []),
    ("horror needn't be excluded", []),
    ("my wife won't watch horror, but I do", []),
    ("comedy must never be forgotten, so comedy", ["genres: Comedy"]),
    ("horror can do one, but I want comedies", ["not genres: Horror", "genres: Comedy"]),
    ("I'd be lost without a drama", ["genres: Drama"]),
    ("I've sat through enough musicals", ["not genres: Musical"]),
    # verbs that send away, before and around a thing
    ("jettison horror", ["not genres: Horror"]),
    ("show horror the door", ["not genres: Horror"]),
    ("leave horror at the door and give me a comedy", ["not genres: Horror", "genres: Comedy"]),
    ("write horror off", ["not genres: Horror"]),
    ("kindly refrain from suggesting horror", ["not genres: Horror"]),
    ("we draw the line at horror", ["not genres: Horror"]),
    ("I've had it up to here with horror", ["not genres: Horror"]),
    ("I'd rather chew glass than sit through a western", ["not genres: Western"]),
    ("wild horses couldn't drag me to a western", ["not genres: Western"]),
    ("hell would freeze over before I'd watch a western", ["not genres: Western"]),
    ("I shudder at the thought of horror", ["not genres: Horror"]),
    ("chuck me a comedy", ["genres: Comedy"]),
    ("I'd kill for a comedy", ["genres: Comedy"]),
    ("no comedy, no deal", ["genres: Comedy"]),
    ("don't stray from comedy", ["genres: Comedy"]),
    ("nothing bar comedy", ["genres: Comedy"]),
    ("all non-comedy out", ["genres: Comedy"]),
    # wanting, and merely wishing
    ("I've a yen for drama", ["genres: Drama"]),
    ("war is what floats my boat, nothing newer than 1990", ["genres: War", "year <= 1990"]),
    ("brownie points for war", []),
    ("if push comes to shove, drama", []),
    ("a musical wouldn't be unwelcome", []),
    ("a western; comedy gets the nod if there's one about", ["genres: Western"]),
    ("westerns, but I'm not married to it", []),
    ("I wouldn't turn my nose up at horror", []),
    ("tilt it towards war", []),
    ("I wouldn't go for horror", ["not genres: Horror"]),
    ("I've lost my taste for horror, a comedy", ["not genres: Horror", "genres: Comedy"]),
    ("I have no yen for horror", ["not genres: Horror"]),
    # examples
    ("I got a kick out of Ghost Ledger", ["like: Ghost Ledger"]),
    ("I never tire of Ghost Ledger", ["like: Ghost Ledger"]),
    ("Ghost Ledger wasn't half bad", ["like: Ghost Ledger"]),
    ("Ghost Ledger was pants", ["unlike: Ghost Ledger"]),
    ("Ghost Ledger did my head in, so a comedy", ["unlike: Ghost Ledger", "genres: Comedy"]),
    ("Ghost Ledger wasn't up to scratch", ["unlike: Ghost Ledger"]),
    ("I switched off Ghost Ledger", ["unlike: Ghost Ledger"]),
    ("I rue the day I watched Ghost Ledger", ["unlike: Ghost Ledger"]),
    ("an antidote to Ghost Ledger", ["unlike: Ghost Ledger"]),
    ("I want my money back for Ghost Ledger", ["unlike: Ghost Ledger"]),
    # what is new or known
    ("nothing I've clapped eyes on", ["new"]),
    ("comedies I've yet to lay eyes on", ["genres: Comedy", "new"]),
    ("virgin territory, no war", ["new", "not genres: War"]),
    ("hide watched", ["new"]),
    ("rewatches only", ["known"]),
    ("only titles I'm already acquainted with", ["known"]),
    ("nothing new under the sun", ["known"]),
    # bounds that refuse, and words of regions
    ("nowt older than 1990", ["year >= 1990"]),
    ("nowt newer than 1990 and nae horror", ["year <= 1990", "not genres: Horror"]),
    ("owt but horror", ["not genres: Horror"]),
    ("anything newer than 1990 is out", ["year <= 1990"]),
    ("anything older than 1990 can do one", ["year >= 1990"]),
    ("that didn't come out after 1990", ["year <= 1990"]),
    ("can't predate 1990", ["year >= 1990"]),
    ("1990 is my cut-off, older is fine", ["year <= 1990"]),
    ("this side of 1990", ["year >= 1990"]),
    ("if the rating's under 4 don't bother", ["rating >= 4"]),
    ("if the runtime is over 120 I'm out, and no war", ["runtime <= 120", "not genres: War"]),
    ("if the rating's under 4 don't bother and a comedy", ["rating >= 4", "genres: Comedy"]),
    ("limit the runtime to 120", ["runtime <= 120"]),
    ("cap the runtime at 120; a comedy", ["runtime <= 120", "genres: Comedy"]),
    ("the rating has to hit 4", ["rating >= 4"]),
    # one of two
    ("comedy or, failing that, war", ["genres: Comedy | War"]),
    ("whichever you've got of comedy and war", ["genres: Comedy | War"]),
    # two things refused at once, and demands that end in a threat
    ("horror and westerns are both no-gos", ["not genres: Horror | Western"]),
    ("a comedy; horror and westerns are things I can't stand", ["genres: Comedy", "not genres: Horror | Western"]),
    ("horror and westerns should both be left out", ["not genres: Horror | Western"]),
    ("horror and westerns are both too much for me", ["not genres: Horror | Western"]),
    ("show me comedies or don't bother, from before 1990", ["genres: Comedy", "year <= 1989"]),
    # bounds of a number
    ("a rating of 4 or smaller", ["rating <= 4"]),
    ("rating equal to 3 or greater", ["rating >= 3"]),
    ("3 minimum and 4 maximum for rating", ["rating 3..4"]),
    ("don't go under 3 or over 4 on rating", ["rating 3..4"]),
    ("a rating that stops before it gets to 4", ["rating < 4"]),
    ("exactly 3 is too low for the rating, it has to be higher", ["rating > 3"]),
    ("rating starting at 3 and going up to 4", ["rating 3..4"]),
    ("the rating mustn't drop under 3", ["rating >= 3"]),
    # how many
    ("war should feature at least twice", ["at least 2: genres: War"]),
    ("keep war down to two", ["at most 2: genres: War"]),
    ("two war films and that's your lot", ["at most 2: genres: War"]),
    ("more than two war films and I'm off", ["at most 2: genres: War"]),
    ("two war films is my max", ["at most 2: genres: War"]),
    ("a quartet of suggestions", ["n = 4"]),
    ("a dozen ought to cover it", ["n = 12"]),
]


@pytest.mark.parametrize(("text", "expected"), SENTENCES, ids=[text for text, _ in SENTENCES])
def test_sentences(text, expected):
    films = SHELVES["films"]("en")
    assert hard(parse(text, films, language="en"), films) == set(expected)
