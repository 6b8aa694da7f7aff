"""Export of a tuned `lm`: an ordinary causal language model ranks as the product does, in a Hugging Face folder and in GGUF."""

import errno
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.contracts import WORLD, history_of, leave_last_out
from tests.models.test_lm import TINY, hugging_face_folder, qwen_folder
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen2Config, Qwen3Config

from instructrec.core import Instruction, Query
from instructrec.errors import ModelError, RunError
from instructrec.lists import top_n
from instructrec.lm.item_model import TokenBatch
from instructrec.lm.shared_prefix import SharedPrefixDecoder
from instructrec.models.export import Exported, Fidelity, export_gguf, export_hugging_face
from instructrec.models.lm import LanguageModelRecommender, LmConfig
from instructrec.recommender import allowed

CODES = {
    "atomic": replace(TINY, epochs=2),
    "semantic": replace(TINY, epochs=2, codes="semantic", code_levels=(4, 3)),
    "title": replace(TINY, epochs=2, codes="title", code_words=3),
}
HISTORIES = tuple(Query(history=history_of(user)) for user in range(8))
WORDS = tuple(Query(history=history_of(user), instruction=Instruction(text="something comedy", wish="comedy")) for user in range(4))


def fitted(config: LmConfig) -> LanguageModelRecommender:
    """Tuned in float32 on every machine, so that what differs is the export and not the rounding of bfloat16."""
    train, _, _ = leave_last_out(WORLD)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("instructrec.lm.decoder.native_dtype", lambda: torch.float32)
        return LanguageModelRecommender(config).fit(train)


@pytest.fixture(scope="module")
def model_of() -> Iterator[Callable[[str], LanguageModelRecommender]]:
    """A tuned model for each kind of codes."""
    made: dict[str, LanguageModelRecommender] = {}

    def give(codes: str) -> LanguageModelRecommender:
        if codes not in made:
            made[codes] = fitted(CODES[codes])
        return made[codes]

    yield give


@pytest.fixture
def unbiased(model_of: Callable[[str], LanguageModelRecommender]) -> Iterator[Callable[[str], LanguageModelRecommender]]:
    """The same models without the parts that an export cannot have: the bias, and what written tokens refine."""
    kept = []

    def give(codes: str) -> LanguageModelRecommender:
        model = model_of(codes)
        for weight in (model.tuned[0].out.bias, *(() if codes == "atomic" else (model.tuned[0].refine.weight,))):
            kept.append((weight, weight.detach().clone()))
            weight.data.zero_()
        return model

    yield give
    for weight, before in kept:
        weight.data.copy_(before)


def read_back(folder: Path, **options: Any) -> Any:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **options).eval()


@torch.inference_mode()
def exported_logits(causal: Any, model: LanguageModelRecommender, query: Query) -> np.ndarray:
    """All logits of an export at the place where a query is answered, float32 [vocabulary]."""
    (encoded,) = model.encoded([query])
    return causal(input_ids=torch.from_numpy(encoded.tokens)[None]).logits[0, encoded.answer_place].numpy()


@torch.inference_mode()
def product_logits(model: LanguageModelRecommender, query: Query) -> np.ndarray:
    """The product's own scores of the first code token, without pooled words, float32 [num_tokens]."""
    tuned, items, _ = model.tuned
    (encoded,) = model.encoded([query])
    tokens = torch.from_numpy(encoded.tokens)[None]
    length = tokens.shape[1]
    visible = torch.ones(1, length, length, dtype=torch.bool).tril()
    hidden = tuned.hidden(TokenBatch(tokens=tokens, positions=torch.arange(length)[None], visible=visible), items)
    return tuned.logits(hidden[0, encoded.answer_place][None], items)[0].numpy()


def assert_same_order(found: np.ndarray, wanted: np.ndarray) -> float:
    """Scores are equal but for one positive factor, which is returned."""
    factor = float(np.abs(wanted).max() / np.abs(found).max())
    np.testing.assert_allclose(found * factor, wanted, rtol=0, atol=2e-4 * float(np.abs(wanted).max()))
    assert found.argsort()[::-1][:10].tolist() == wanted.argsort()[::-1][:10].tolist()
    return factor


@pytest.mark.parametrize("codes", CODES)
def test_without_a_bias_a_folder_ranks_the_next_token_as_the_product_does(unbiased, codes: str, tmp_path: Path) -> None:
    model = unbiased(codes)
    exported = export_hugging_face(model, tmp_path / "out", queries=HISTORIES, dtype="float32")
    causal, tokens = read_back(tmp_path / "out"), model.tuned[2].codes
    written = slice(tokens.first_written, tokens.answer)
    # Only these can come first; the rows of later tokens are as much sharper as the product compares them later.
    begin = np.unique(tokens.codes.tokens[:, 0])
    factors = [
        assert_same_order(exported_logits(causal, model, query)[written][begin], product_logits(model, query)[begin])
        for query in HISTORIES
    ]
    assert exported.fidelity.bias_share == 0
    assert np.mean(factors) == pytest.approx(1, abs=1e-4), "the mean factor is in the rows"
    assert exported.fidelity.top10_overlap == exported.fidelity.top10_overlap_history
    assert exported.fidelity.top10_overlap_history == pytest.approx(1, abs=1e-6 if codes == "atomic" else 0.11)


def test_scores_of_the_whole_catalog_are_those_of_the_product(unbiased, tmp_path: Path) -> None:
    model = unbiased("atomic")
    export_hugging_face(model, tmp_path / "out", queries=HISTORIES, dtype="float32")
    causal, tokens = read_back(tmp_path / "out"), model.tuned[2].codes
    for query, scores in zip(HISTORIES, model.score(HISTORIES), strict=True):
        assert_same_order(exported_logits(causal, model, query)[tokens.vocabulary : tokens.answer], scores)


def test_a_code_that_is_written_token_by_token_is_measured_on_its_own(model_of, tmp_path: Path) -> None:
    atomic, semantic = (
        export_hugging_face(model_of(codes), tmp_path / codes, queries=HISTORIES).fidelity for codes in ("atomic", "semantic")
    )
    assert atomic.top10_overlap_written == atomic.top10_overlap
    assert semantic.top10_overlap_written is not None
    assert semantic.top10_overlap is not None
    assert semantic.top10_overlap_written < semantic.top10_overlap


def test_fidelity_is_what_a_reader_finds(model_of, tmp_path: Path) -> None:
    model = model_of("atomic")
    model.tuned[0].out.bias.data.add_(torch.linspace(-0.5, 0.5, 32))
    queries = (*HISTORIES, *WORDS)
    exported = export_hugging_face(model, tmp_path / "out", queries=queries)
    causal, tokens = read_back(tmp_path / "out"), model.tuned[2].codes
    shares = []
    for query, scores in zip(queries, model.score(queries), strict=True):
        mask = allowed(query, model.catalog)
        found = exported_logits(causal, model, query)[tokens.vocabulary : tokens.answer]
        shares.append(len(set(top_n(found, mask, 10)) & set(top_n(scores, mask, 10))) / 10)
    model.tuned[0].out.bias.data.sub_(torch.linspace(-0.5, 0.5, 32))
    fidelity = exported.fidelity
    assert fidelity.queries == len(queries)
    assert fidelity.top10_overlap == pytest.approx(np.mean(shares), abs=0.02)
    assert fidelity.top10_overlap_history == pytest.approx(np.mean(shares[:8]), abs=0.02)
    assert fidelity.top10_overlap_words == pytest.approx(np.mean(shares[8:]), abs=0.03)
    assert fidelity.bias_share is not None
    assert fidelity.bias_share > 0.05, "the bias that was added is reported"
    assert fidelity.scale > 0
    assert fidelity.scale_spread > 0


@torch.inference_mode()
def test_rows_are_words_then_items_that_are_read_then_codes_then_the_answer(model_of, tmp_path: Path) -> None:
    model = model_of("semantic")
    tuned, items, encoder = model.tuned
    export_hugging_face(model, tmp_path / "out", dtype="float32")
    causal, tokens = read_back(tmp_path / "out"), encoder.codes
    read, written = causal.model.embed_tokens.weight, causal.lm_head.weight
    assert len(read) == len(written) == tokens.answer + 1
    assert not causal.config.tie_word_embeddings
    torch.testing.assert_close(read[: tokens.vocabulary], tuned.decoder.words)
    torch.testing.assert_close(read[tokens.vocabulary : -1], items.inputs * tuned.input_scale)
    torch.testing.assert_close(read[-1], tuned.answer)
    hidden = torch.randn(3, tuned.decoder.width)
    torch.testing.assert_close(hidden @ written[: tokens.vocabulary].T, tuned.word_logits(hidden))
    assert not written[tokens.vocabulary : tokens.first_written].any(), "items that are only read are not scored"
    assert not written[-1].any()


@pytest.mark.parametrize("codes", CODES)
def test_the_facts_say_which_tokens_are_which_item(model_of, codes: str, tmp_path: Path) -> None:
    model = model_of(codes)
    exported = export_hugging_face(model, tmp_path / "out")
    facts = json.loads((tmp_path / "out" / "export.json").read_text())
    tokens = model.tuned[2].codes
    assert facts["item_ids"] == list(WORLD.catalog.item_ids)
    assert facts["codes"] == [list(tokens.encode(item)) for item in range(len(WORLD.catalog))]
    assert set(facts["first_tokens"]) == {row[0] for row in facts["codes"]}
    assert (facts["words"], facts["first_code"], facts["answer"]) == (512, tokens.first_written, tokens.answer)
    assert facts["tokenizer"] is False
    assert len(facts["left_out"]) == (3 if codes == "atomic" else 4)
    (encoded,) = model.encoded([HISTORIES[0]])
    history = WORLD.catalog.codes(HISTORIES[0].history).tolist()
    assert encoded.tokens.tolist() == facts["prompt"]["tokens"] + [facts["first_item"] + item for item in history]
    assert exported == Exported(path=tmp_path / "out", fidelity=Fidelity(queries=0))
    assert facts["fidelity"]["scale"] == 1.0
    assert "<answer>" in (tmp_path / "out" / "README.md").read_text()
    assert not list((tmp_path / "out").glob("tokenizer*"))


def test_bfloat16_is_near(model_of, tmp_path: Path) -> None:
    model = model_of("atomic")
    export_hugging_face(model, tmp_path / "low", queries=HISTORIES)
    export_hugging_face(model, tmp_path / "full", queries=HISTORIES, dtype="float32")
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "low").dtype == torch.bfloat16
    low, full = (exported_logits(read_back(tmp_path / name), model, HISTORIES[0]) for name in ("low", "full"))
    np.testing.assert_allclose(low, full, rtol=0, atol=0.02 * float(np.abs(full).max()))


def test_a_base_from_scratch_is_exported(tmp_path: Path) -> None:
    model = fitted(replace(TINY, base="scratch", width=32, layers=1, epochs=1))
    model.tuned[0].out.bias.data.zero_()
    exported = export_hugging_face(model, tmp_path / "out", queries=HISTORIES[:3], dtype="float32")
    assert exported.fidelity.top10_overlap_history is not None
    causal, tokens = read_back(tmp_path / "out"), model.tuned[2].codes
    found = exported_logits(causal, model, HISTORIES[0])[tokens.vocabulary : tokens.answer]
    # The product multiplies in bfloat16 there where the processor can.
    assert np.corrcoef(found, model.score(HISTORIES[:1])[0])[0, 1] > 0.999


# Tokenizers


def test_a_tokenizer_writes_the_ids_of_the_prompt(tmp_path: Path) -> None:
    model = fitted(replace(TINY, base=str(hugging_face_folder(tmp_path / "base")), epochs=1, codes="semantic", code_levels=(3,)))
    export_hugging_face(model, tmp_path / "out")
    facts = json.loads((tmp_path / "out" / "export.json").read_text())
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    tokens = model.tuned[2].codes
    assert tokens.vocabulary == 64, "the tokenizer has 7 words, and the table of the base more rows"
    assert len(tokenizer) == tokens.answer + 1
    assert tokenizer.convert_ids_to_tokens(tokens.read(5)) == "<item:5>"
    assert tokenizer.convert_ids_to_tokens(tokens.first_written + 2) == "<code:2>"
    assert tokenizer.convert_ids_to_tokens(tokens.answer) == "<answer>"
    history = WORLD.catalog.codes(WORDS[0].history)
    text = "".join([facts["prompt"]["words"], *(f"<item:{item}>" for item in history), " comedy<answer>"])
    assert tokenizer(text, add_special_tokens=False).input_ids == model.encoded([WORDS[0]])[0].tokens.tolist()


def test_a_tokenizer_that_knows_the_names_already_is_refused(tmp_path: Path) -> None:
    base = hugging_face_folder(tmp_path / "base")
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.add_tokens(["<answer>"])
    tokenizer.save_pretrained(base)
    model = fitted(replace(TINY, base=str(base), epochs=1))
    with pytest.raises(ModelError, match="<item:0> to <answer>"):
        export_hugging_face(model, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["base"]


# Refusals


def test_another_make_of_body_is_refused_and_nothing_is_left(model_of, tmp_path: Path, monkeypatch) -> None:
    model = model_of("atomic")
    monkeypatch.setattr(model.tuned[0].body.base_model.model.config, "model_type", "gemma3_text")
    with pytest.raises(ModelError, match=r"gemma3_text.*llama, qwen2, qwen3"):
        export_hugging_face(model, tmp_path / "out")
    with pytest.raises(ModelError, match="gemma3_text"):
        export_gguf(model, tmp_path / "out.gguf")
    assert not list(tmp_path.iterdir())


def test_an_unknown_precision_is_refused(model_of, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="bfloat16 or float32"):
        export_hugging_face(model_of("atomic"), tmp_path / "out", dtype="int4")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="f16, q8_0 or f32"):
        export_gguf(model_of("atomic"), tmp_path / "out.gguf", quantisation="q2_k")  # type: ignore[arg-type]


def test_a_model_that_was_not_tuned_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="fit"):
        export_hugging_face(LanguageModelRecommender(TINY), tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_what_exists_is_not_overwritten(model_of, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    (tmp_path / "out.gguf").write_text("mine")
    with pytest.raises(RunError, match="not empty"):
        export_hugging_face(model_of("atomic"), tmp_path / "out")
    with pytest.raises(RunError, match="exists"):
        export_gguf(model_of("atomic"), tmp_path / "out.gguf")
    assert (tmp_path / "out" / "mine.txt").read_text() == (tmp_path / "out.gguf").read_text() == "mine"


def test_a_full_disk_leaves_nothing(model_of, tmp_path: Path, monkeypatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("instructrec.models.export._write_tokenizer", full)
    with pytest.raises(RunError, match="disk is full"):
        export_hugging_face(model_of("atomic"), tmp_path / "out")
    monkeypatch.setattr("gguf.GGUFWriter.write_tensors_to_file", full)
    with pytest.raises(RunError, match="No space left"):
        export_gguf(model_of("atomic"), tmp_path / "out.gguf")
    assert not list(tmp_path.iterdir())


# GGUF


@pytest.mark.parametrize("codes", CODES)
def test_gguf_in_float32_reads_back_equal(model_of, codes: str, tmp_path: Path) -> None:
    model = model_of(codes)
    folder = export_hugging_face(model, tmp_path / "out", queries=HISTORIES, dtype="float32")
    file = export_gguf(model, tmp_path / "out.gguf", queries=HISTORIES, quantisation="f32")
    assert file.fidelity == folder.fidelity
    causal, again = read_back(tmp_path / "out"), read_back(tmp_path, gguf_file="out.gguf")
    for query in (*HISTORIES, *WORDS):
        found, wanted = (exported_logits(one, model, query) for one in (again, causal))
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * float(np.abs(wanted).max()))


@pytest.mark.parametrize(("quantisation", "tolerance"), [("f16", 0.002), ("q8_0", 0.05)])
def test_gguf_in_fewer_bits_is_near(model_of, quantisation: str, tolerance: float, tmp_path: Path) -> None:
    model = model_of("atomic")
    export_gguf(model, tmp_path / "full.gguf", quantisation="f32")
    exported = export_gguf(model, tmp_path / "few.gguf", queries=HISTORIES, quantisation=quantisation)  # type: ignore[arg-type]
    assert (tmp_path / "few.gguf").stat().st_size < 0.75 * (tmp_path / "full.gguf").stat().st_size
    assert exported.fidelity.top10_overlap is not None
    few, full = (read_back(tmp_path, gguf_file=name) for name in ("few.gguf", "full.gguf"))
    items = slice(512, 512 + len(WORLD.catalog))
    found, wanted = (exported_logits(one, model, HISTORIES[0])[items] for one in (few, full))
    found = found / exported.fidelity.scale
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance * float(np.abs(wanted).max()))


def test_gguf_carries_shape_and_facts_and_words_by_their_numbers(model_of, tmp_path: Path) -> None:
    from gguf import GGUFReader

    model = model_of("atomic")
    export_gguf(model, tmp_path / "out.gguf", quantisation="q8_0")
    fields = {key: field.contents() for key, field in GGUFReader(tmp_path / "out.gguf").fields.items()}
    assert fields["general.architecture"] == "llama"
    assert fields["llama.block_count"] == 2
    assert (fields["llama.attention.head_count"], fields["llama.attention.head_count_kv"]) == (4, 2)
    assert fields["llama.rope.dimension_count"] == 8
    assert fields["llama.vocab_size"] == 512 + len(WORLD.catalog) + 1
    tokens = fields["tokenizer.ggml.tokens"]
    assert (tokens[0], tokens[511], tokens[512], tokens[-1]) == ("<word:0>", "<word:511>", "<item:0>", "<answer>")
    assert len(tokens) == fields["llama.vocab_size"]
    assert fields["tokenizer.ggml.eos_token_id"] == len(tokens) - 1
    assert fields["tokenizer.ggml.add_bos_token"] is False
    assert fields["general.quantization_version"] == 2
    assert json.loads(fields["instructrec.export"])["item_ids"] == list(WORLD.catalog.item_ids)


def test_gguf_has_the_words_of_the_bases_own_file_and_the_new_tokens(model_of, tmp_path: Path, monkeypatch) -> None:
    from gguf import GGUFReader, GGUFWriter, TokenType

    words = GGUFWriter(tmp_path / "base.gguf", "llama")
    words.add_tokenizer_model("gpt2")
    words.add_token_list([f"w{word}" for word in range(500)])
    words.add_token_types([TokenType.NORMAL] * 500)
    words.add_token_merges(["w 1", "w 2"])
    words.add_add_bos_token(False)
    words.add_eos_token_id(2)
    words.write_header_to_file()
    words.write_kv_data_to_file()
    words.close()
    monkeypatch.setattr("instructrec.models.export._vocabulary", lambda base: tmp_path / "base.gguf")
    model = model_of("semantic")
    export_gguf(model, tmp_path / "out.gguf", quantisation="q8_0")
    fields = {key: field.contents() for key, field in GGUFReader(tmp_path / "out.gguf").fields.items()}
    tokens, kinds = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.token_type"]
    codes = model.tuned[2].codes
    assert len(tokens) == len(kinds) == fields["llama.vocab_size"] == codes.answer + 1
    assert (tokens[499], tokens[511], tokens[512], tokens[-1]) == ("w499", "<unused:511>", "<item:0>", "<answer>")
    assert tokens[codes.first_written] == "<code:0>"
    assert (kinds[499], kinds[511], kinds[512]) == (TokenType.NORMAL, TokenType.UNUSED, TokenType.USER_DEFINED)
    assert fields["tokenizer.ggml.merges"] == ["w 1", "w 2"]
    assert fields["tokenizer.ggml.add_bos_token"] is False
    assert fields["tokenizer.ggml.eos_token_id"] == 2


@pytest.mark.parametrize("kind", [Qwen2Config, Qwen3Config])
@torch.inference_mode()
def test_qwen_bodies_are_exported_with_their_biases_and_norms(kind: Any, tmp_path: Path) -> None:
    with torch.inference_mode(False):
        base = qwen_folder(tmp_path / "base", kind)
        model = fitted(replace(TINY, base=str(base), epochs=1))
    tuned, items, encoder = model.tuned
    tuned.out.bias.zero_()
    export_hugging_face(model, tmp_path / "out", dtype="float32")
    export_gguf(model, tmp_path / "out.gguf", quantisation="f32")
    plain, again = read_back(tmp_path / "out"), read_back(tmp_path, gguf_file="out.gguf")
    assert type(plain).__name__ == type(again).__name__ == kind.__name__.replace("Config", "ForCausalLM")
    assert plain.config.num_hidden_layers == 2
    (encoded,) = model.encoded(HISTORIES[1:2])
    context = SharedPrefixDecoder(tuned.body).read(tuned.vectors(torch.from_numpy(encoded.tokens)[None], items))
    wanted = tuned.logits(context.hidden, items)[0].numpy()
    for one in (plain, again):
        assert_same_order(exported_logits(one, model, HISTORIES[1])[encoder.codes.first_written : encoder.codes.answer], wanted)


def test_stretched_positions_go_into_a_folder_but_not_into_gguf(tmp_path: Path) -> None:
    base = hugging_face_folder(tmp_path / "base")
    config = json.loads((base / "config.json").read_text())
    config["rope_parameters"] = {"rope_type": "linear", "factor": 4.0, "rope_theta": 500.0}
    (base / "config.json").write_text(json.dumps(config))
    model = fitted(replace(TINY, base=str(base), epochs=1))
    model.tuned[0].out.bias.data.zero_()
    export_hugging_face(model, tmp_path / "out", dtype="float32")
    tokens, causal = model.tuned[2].codes, read_back(tmp_path / "out")
    assert_same_order(
        exported_logits(causal, model, HISTORIES[2])[tokens.vocabulary : tokens.answer], model.score(HISTORIES[2:3])[0]
    )
    with pytest.raises(ModelError, match="linear"):
        export_gguf(model, tmp_path / "out.gguf")
    assert not list(tmp_path.glob("*.gguf"))
