"""Every cell of preference x intention x form is asked, of what was known at the time, about items that were never taken."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from tests.contracts import WORLD
from tests.instructions.test_render import check_golden, pattern, shown

from instructrec.core import Branch, Example, Instruction, ItemRef, Query
from instructrec.instructions.cells import CELLS, NUM_CANDIDATES, Cell, CellWriter, Draft, Moment
from instructrec.instructions.phrasing import Phrasing, held_out_values
from instructrec.instructions.render import candidates_example, query_example, wording
from instructrec.instructions.reviews import ReviewSentence
from instructrec.instructions.tasks import Chunk, TaskConfig, TaskMixture
from instructrec.instructions.wording import LANGUAGES
from instructrec.tables import Catalog, Labels

CATALOG = WORLD.catalog
HISTORIES = WORLD.interactions.histories()


def writer(language: str = "en", catalog: Catalog = CATALOG) -> CellWriter:
    return CellWriter(Phrasing(catalog, language), popular=WORLD.interactions.items)


def moments(rng: np.random.Generator, count: int = 30) -> list[Moment]:
    """Random places, none of them the first of a history."""
    made = []
    for _ in range(count):
        history = HISTORIES[int(rng.integers(len(HISTORIES)))].tolist()
        place = int(rng.integers(1, len(history)))
        made.append(Moment(before=history[:place], target=history[place], taken=frozenset(history)))
    return made


def drafts(cell: Cell, *, language: str = "en", held_out: bool = False, seed: int = 0) -> list[tuple[Moment, Draft]]:
    rng, cells = np.random.default_rng(seed), writer(language)
    made = [(moment, cells.draft(cell, moment, rng, held_out=held_out)) for moment in moments(rng)]
    return [(moment, draft) for moment, draft in made if draft is not None]


def words(branch: Branch) -> str:
    return " ".join(piece for piece in branch.pieces if isinstance(piece, str))


def test_there_are_thirty_two_cells_with_names_of_their_own() -> None:
    assert len(CELLS) == len({cell.name for cell in CELLS}) == 32
    assert not [cell for cell in CELLS if cell.name.startswith("P0-I0")]
    assert {cell.name[-2:] for cell in CELLS} == {"T0", "T1", "T2", "T3"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_every_cell_is_asked_with_what_it_needs_and_nothing_else(cell: Cell, language: str) -> None:
    made = drafts(cell, language=language)
    assert len(made) >= 20
    for moment, draft in made:
        branch = writer(language).branch(draft, weight=3.0)
        assert bool(draft.preference) == (cell.preference == "P2")
        assert bool(draft.intention) == (cell.intention != "I0")
        assert draft.history == (() if cell.preference == "P0" or branch.at == 1 else tuple(moment.before))
        assert (cell.preference == "P1") <= bool(draft.history)
        assert branch.at == 1 + len(draft.history)
        assert branch.weight == 3.0
        assert not re.search(r"[{}]", words(branch))
        if cell.form == "pointwise":
            assert branch.target is None
            assert branch.completion in (wording(language).yes, wording(language).no)
        else:
            assert branch.target == moment.target
            assert branch.completion == ""


@pytest.mark.parametrize("language", LANGUAGES)
def test_cells_as_they_are_read(language: str) -> None:
    """Golden: two questions of every cell, one in trained and one in held-out phrasings."""
    lines = []
    for number, cell in enumerate(CELLS):
        for held_out in (False, True):
            _, draft = drafts(cell, language=language, held_out=held_out, seed=number)[0]
            example = Example(trunk=("...", *map(ItemRef, draft.history)), branches=(writer(language).branch(draft),))
            lines += [f"{cell.name}{' held out' if held_out else ''}: {line.strip()}" for line in shown(example)[1:]]
    check_golden(f"cells.{language}", lines)


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.form != "matching"], ids=lambda cell: cell.name)
def test_candidates_hold_the_target_and_items_that_are_never_taken(cell: Cell) -> None:
    sizes = {"pointwise": 1, "pairwise": 2, "reranking": NUM_CANDIDATES}
    answers = set()
    for moment, draft in drafts(cell):
        refs = [piece.code for piece in writer().branch(draft).pieces if isinstance(piece, ItemRef)]
        assert refs == list(draft.candidates)
        assert len(set(refs)) == len(refs) == sizes[cell.form]
        others = set(refs) - {moment.target}
        assert not others & moment.taken
        if cell.form == "pointwise":
            assert (draft.completion == "yes") == (refs == [moment.target])
            answers.add(draft.completion)
        else:
            assert moment.target in refs
            answers.add(refs.index(moment.target))
    assert len(answers) > 1, "the answer does not always stand at the same place"


def test_nothing_later_than_the_target_decides_what_is_said() -> None:
    """Whatever follows the target may change: words and history stay the same (it is only never taken as a negative)."""
    history = HISTORIES[0].tolist()
    for cell in CELLS:
        for place in range(1, len(history)):
            same = [
                writer().draft(
                    cell, Moment(before=history[:place], target=history[place], taken=taken), np.random.default_rng(place)
                )
                for taken in (frozenset(history), frozenset(history[: place + 1]))
            ]
            bare = [replace(draft, candidates=(), completion="") for draft in same if draft is not None]
            assert len(set(bare)) <= 1
            for draft in bare:
                assert set(draft.history) <= set(history[:place])


def test_a_stated_preference_names_what_the_history_before_shows() -> None:
    values = Phrasing(CATALOG, "en").words.values
    for moment, draft in drafts(Cell("P2", "I0", "matching")):
        named = {value for row in values for value in row if re.search(rf"\b{value}\b", draft.preference)}
        assert named
        assert named <= {value for code in moment.before for value in values[code]}


def test_vague_and_specific_intentions_are_true_of_the_target() -> None:
    phrasing = Phrasing(CATALOG, "en")
    every = {value for row in phrasing.words.values for value in row}
    for moment, draft in drafts(Cell("P0", "I1", "matching")):
        named = {value for value in every if re.search(rf"\b{value}\b", draft.intention)}
        assert len(named) == 1
        assert named <= set(phrasing.words.values[moment.target])
    about = set()
    for moment, draft in drafts(Cell("P0", "I2", "matching"), seed=1):
        named = {value for value in every if re.search(rf"\b{value}\b", draft.intention)}
        assert named <= set(phrasing.words.values[moment.target])
        assert str(phrasing.words.decades[moment.target] % 100) in draft.intention
        about |= {word for word in phrasing.about_words[moment.target] if word in draft.intention}
    assert about, "some say a word of the title"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("held_out", [False, True])
def test_held_out_phrasings_are_asked_only_where_they_are_wanted(language: str, held_out: bool) -> None:
    forms = wording(language)
    said = forms.sentences
    for cell in CELLS:
        for _, draft in drafts(cell, language=language, held_out=held_out):
            assert draft.sentence in said(cell.form, held_out=held_out)
            wish = "vague" if cell.intention == "I1" else "wish"
            for words_said, task in ((draft.preference, "preference"), (draft.intention, wish)):
                held = [text for text in forms.held_out[task] if words_said and pattern(text).fullmatch(words_said)]
                assert bool(held) == (held_out and bool(words_said))


def test_a_moment_without_a_past_allows_no_preference_and_a_bare_catalog_no_intention() -> None:
    rng = np.random.default_rng(0)
    first = Moment(before=[], target=3)
    allowed = [cell for cell in CELLS if writer().draft(cell, first, rng) is not None]
    assert {cell.preference for cell in allowed} == {"P0"}
    bare = Catalog(item_ids=tuple("abcdefghijkl"), titles=("",) * 12)
    found = [cell.name for cell in CELLS if writer(catalog=bare).draft(cell, Moment(before=[1], target=2), rng) is not None]
    assert found == ["P1-I0-T0", "P1-I0-T1", "P1-I0-T2", "P1-I0-T3"]


def test_who_took_everything_is_asked_about_the_whole_catalog_only() -> None:
    everything = Moment(before=[0, 1], target=2, taken=frozenset(range(len(CATALOG))))
    rng = np.random.default_rng(0)
    found = {cell.form for cell in CELLS if writer().draft(cell, everything, rng) is not None}
    assert found == {"matching"}
    but_one = replace(everything, taken=frozenset(range(len(CATALOG))) - {7})
    assert writer().negatives(but_one, 9, rng) == [7]


def test_half_of_the_negatives_are_popular() -> None:
    catalog = Catalog(item_ids=tuple(f"i{item}" for item in range(1000)), titles=("",) * 1000)
    cells = CellWriter(Phrasing(catalog, "en"), popular=np.repeat(np.arange(20), 50))
    rng = np.random.default_rng(0)
    drawn = [item for _ in range(200) for item in cells.negatives(Moment(before=[0], target=1), 1, rng)]
    assert 0.4 < np.mean([item < 20 for item in drawn]) < 0.62


def test_what_is_tuned_about_candidates_is_what_a_live_request_asks() -> None:
    """The same words, items and sentence give the same question, whichever side renders it."""
    history, said = [3, 8, 5], "a comedy, please"
    query = Query(history=tuple(CATALOG.item_ids[code] for code in history), instruction=Instruction(text=said, wish=said))
    for form, items in (("pointwise", [9]), ("pairwise", [9, 4]), ("reranking", [9, 4, 1])):
        live = candidates_example(query, CATALOG, [(form, items)], language="en", max_history=10)
        draft = Draft(
            cell=Cell("P1", "I1", form),
            history=tuple(history),
            intention=said,
            sentence=wording("en").train[form][0],
            candidates=tuple(items),
        )
        assert live.branches == (writer().branch(draft),)
        assert live.trunk[1:] == tuple(ItemRef(code) for code in history)
    draft = Draft(cell=Cell("P1", "I1", "matching"), history=tuple(history), intention=said, sentence="unused")
    [live_wish] = query_example(query, CATALOG, language="en", max_history=10).branches
    assert replace(live_wish, task="matching") == writer().branch(draft)


def test_an_example_in_a_live_request_is_asked_as_it_is_tuned() -> None:
    query = Query(instruction=Instruction(text="like The Golden Winter", like=(CATALOG.item_ids[4],), wish="comedy"))
    [branch] = query_example(query, CATALOG, language="en", max_history=10).branches
    assert branch.pieces == ("comedy. something like", ItemRef(4))
    mixture = TaskMixture(CATALOG, only("similar"), language="en")
    rng, seen = np.random.default_rng(0), set()
    for example in mixture.examples([Chunk.whole(history) for history in HISTORIES], rng):
        for asked in example.branches:
            refs = [piece.code for piece in asked.pieces if isinstance(piece, ItemRef)]
            before = {piece.code for piece in example.trunk if isinstance(piece, ItemRef)}
            assert set(refs) <= before
            seen.add((bool(refs), asked.at == 1))
    assert len(seen) == 4, "by token and by title, with the history and without"


def only(*kinds: str, **settings: object) -> TaskConfig:
    """Questions of some kinds alone, many of them."""
    shares = {f"share_{kind}": float(kind in kinds) for kind in TaskConfig().shares()}
    return TaskConfig(**{"questions": 100.0, **shares, **settings})


def test_the_new_shares_leave_the_old_proportions_alone() -> None:
    old = ("wish", "preference", "limit", "text_to_item", "item_to_text", "explanation")
    shares = TaskConfig().shares()
    assert sum(shares.values()) == pytest.approx(1.0)
    assert sum(share for kind, share in shares.items() if kind not in old) == pytest.approx(0.25, abs=0.01)
    without = replace(TaskConfig(), **{f"share_{kind}": 0.0 for kind in shares if kind not in old}).shares()
    assert [without[kind] for kind in old] == pytest.approx([0.5, 0.1, 0.15, 0.1, 0.08, 0.07])
    assert [shares[kind] / shares["wish"] for kind in old] == pytest.approx([without[kind] / without["wish"] for kind in old])


def test_the_mixture_reaches_every_kind() -> None:
    rng = np.random.default_rng(0)
    written = {code: ReviewSentence(sentence="it holds well", feature="strap") for code in range(len(CATALOG))}
    chunks = [Chunk.whole(history, written) for history in HISTORIES]
    for kind in TaskConfig().shares():
        branches = [
            branch
            for example in TaskMixture(CATALOG, only(kind), language="en", reviews=True).examples(chunks, rng)
            for branch in example.branches
        ]
        assert branches, kind
        assert {branch.task for branch in branches} == {kind if kind not in ("vague", "specific") else "matching"}


def test_negatives_of_a_cut_history_are_of_none_of_its_pieces() -> None:
    history = HISTORIES[0]
    mixture = TaskMixture(CATALOG, only("reranking"), language="en")
    piece = replace(Chunk.whole(history), items=history[:3])
    for seed in range(20):
        [example] = mixture.examples([piece], np.random.default_rng(seed))
        for branch in example.branches:
            refs = {ref.code for ref in branch.pieces if isinstance(ref, ItemRef)}
            assert refs & set(history.tolist()) == {branch.target}


def test_held_out_values_are_a_fifth_and_the_same_for_every_order() -> None:
    names = [f"value {number}" for number in range(50)]
    first, second = (
        Catalog(
            item_ids=tuple(str(place) for place in range(50)),
            titles=("",) * 50,
            labels={"tag": Labels.build([(name,) for name in order])},
        )
        for order in (names, names[::-1])
    )
    assert held_out_values(first) == held_out_values(second)
    assert len(held_out_values(first)) == 10


@pytest.mark.parametrize("kind", list(TaskConfig().shares()))
def test_values_that_are_held_out_come_into_no_words(kind: str) -> None:
    held = held_out_values(CATALOG)
    assert held
    mixture = TaskMixture(CATALOG, only(kind, hold_out_values=True), language="en", reviews=True)
    written = {code: ReviewSentence(sentence=f"fine {sorted(held)[0]} and all", feature="all") for code in range(len(CATALOG))}
    for seed in range(5):
        chunks = [Chunk.whole(history, written) for history in HISTORIES]
        for example in mixture.examples(chunks, np.random.default_rng(seed)):
            said = " ".join(f"{words(branch)} {branch.completion}" for branch in example.branches).lower()
            assert not [value for value in held if re.search(rf"\b{re.escape(value)}\b", said)]
