"""Each condition of a sentence is a chip, and taking one away leaves the others as they were."""

import pytest

from instructrec.data.synthetic import genres
from instructrec.errors import QueryError
from instructrec.instructions import Dialogue, instruction_from_json, instruction_to_json
from instructrec.service.page.chips import chips_of, without

CATALOG = genres().catalog
SENTENCES = (
    "a comedy or drama from the 1990s, no horror and no romance",
    "five films, at least two comedies, at most one from before 1980",
    f"something like {CATALOG.titles[3]}, not like {CATALOG.titles[5]}, something new to me",
    "quiet and melancholic, but no action",
)


def turn_of(sentence):
    return Dialogue().say(sentence, CATALOG).to_json(CATALOG)[-1]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_all_chips_together_are_the_sentence(sentence):
    turn = turn_of(sentence)
    found = chips_of(turn, CATALOG, "en", wish="wish {wish}")
    assert len(found) >= 2 and all(chip.label for chip in found) and len({chip.label for chip in found}) == len(found)
    for place, chip in enumerate(found):
        left = [one.label for one in chips_of(chip.rest, CATALOG, "en", wish="wish {wish}")]
        assert left == [one.label for one in found[:place] + found[place + 1 :]]
    while found:
        turn = without(turn, 0, CATALOG, "en")
        found = chips_of(turn, CATALOG, "en", wish="wish {wish}")
    bare = instruction_from_json({key: value for key, value in turn.items() if key != "text"}, CATALOG)
    assert instruction_to_json(bare) == instruction_to_json(instruction_from_json({}, CATALOG))


def test_a_chip_that_is_not_there_is_said_to_be_gone():
    for place in (-1, 9):
        with pytest.raises(QueryError, match="no condition number"):
            without(turn_of("comedy"), place, CATALOG, "en")
