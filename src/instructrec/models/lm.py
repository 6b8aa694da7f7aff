"""`lm`: a model that reads words and items in one sequence and answers with items: one token each, or written token by token."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from instructrec.core import Example, FitContext, ItemRef, Query, ReadToken
from instructrec.errors import ModelError
from instructrec.generation.books import Described, arrays_of, codes_of, grow, make_book, read_book
from instructrec.generation.codebooks import token_means
from instructrec.generation.codes import ItemTokens, read_codes, write_codes
from instructrec.generation.generator import ItemGenerator, Prompt
from instructrec.instructions.render import ItemWords, query_example, query_words
from instructrec.instructions.reviews import ReviewSentence
from instructrec.instructions.tasks import TaskMixture, chunks
from instructrec.lm.bases import prepare
from instructrec.lm.decoder import Decoder, load_decoder
from instructrec.lm.features import collaborative_factors, mean_words, standardise, text_features, text_to_factors
from instructrec.lm.item_model import Features, ItemTable, ItemTokenModel
from instructrec.models.lm_checks import validation_loss, word_perplexity
from instructrec.models.lm_config import LmConfig
from instructrec.models.saliency import text_effects, token_saliency
from instructrec.models.storage import read_model, write_model
from instructrec.recommender import Recommender, allowed
from instructrec.tables import Catalog, Dataset, FloatArray, IntArray, ItemId
from instructrec.tuning.loop import TuningLoop, batches_of, losses
from instructrec.tuning.packing import Encoded, Encoder, PackedBatch, pack
from instructrec.tuning.review_sentences import review_sentences
from instructrec.tuning.sharing import Shared, blocks, share
from instructrec.tuning.single import encoder_for

__all__ = ["LanguageModelRecommender", "LmConfig"]

SERVING_TOKENS = 4800
"""Tokens in one forward pass when scoring: bounds memory, and is long enough to keep the cores busy."""


class LanguageModelRecommender(Recommender):
    """Instruction-tuned item-token language model. `curve` holds the loss of every step and validation losses,
    `perplexity` that of held-out titles and reasons before and after tuning.
    """

    name: ClassVar[str] = "lm"
    follows_words: ClassVar[bool] = True
    log_scale: ClassVar[bool] = True
    config_type = LmConfig

    def __init__(self, config: LmConfig | None = None) -> None:
        self.config = config or LmConfig()
        self.curve: list[dict[str, float]] = []
        self.perplexity: dict[str, float | None] = {}
        self.base_sha256 = ""
        self.seed = 0
        self._model: ItemTokenModel | None = None
        self._items: ItemTable | None = None
        self._generator: ItemGenerator | None = None

    def fit(self, dataset: Dataset, context: FitContext | None = None) -> Self:
        """Tune on the histories of the dataset: minutes. Interrupted work in `context.folder` goes on where it stopped."""
        context = context or FitContext()
        histories = [history for history in dataset.interactions.histories() if len(history)]
        decoder = self._decoder(context)
        self.catalog = dataset.catalog
        self._statistics: dict[str, Tensor] = {}
        trained = np.unique(dataset.interactions.items)
        items = self._features(histories, decoder)
        self._to_factors = text_to_factors(items.text.numpy(), items.factors.numpy(), trained)
        self.book = make_book(self.config, _described(self.catalog, items), decoder.tokenizer.encode, seed=context.seed)
        self._adopt(ItemTokenModel(decoder, items, self._written(items), dropout=self.config.dropout))
        if self.book.codes.kind != "atomic":
            # A body that cannot be searched is refused now, not after minutes of tuning.
            self.warm()
        if histories:
            self._tune(histories, context, review_sentences(dataset) if self.config.share_review > 0 else ())
        self.warm()
        return self

    def _decoder(self, context: FitContext) -> Decoder:
        base = prepare(self.config.base, progress=context.progress)
        self.base_sha256, self.seed = base.sha256, context.seed
        return load_decoder(base, self.config.shape, seed=context.seed)

    def _features(self, histories: Sequence[IntArray], decoder: Decoder) -> Features:
        factors = collaborative_factors(
            histories, len(self.catalog), width=self.config.factor_width, window=self.config.factor_window
        )
        return Features(text=self._text(self.catalog, decoder), factors=torch.from_numpy(factors))

    def _written(self, items: Features) -> Features | None:
        """Features of the code tokens; none where an item is its own token."""
        codes = self.book.codes
        if codes.kind == "atomic":
            return None
        text, factors = (token_means(codes, part.numpy()) for part in (items.text, items.factors))
        return Features(text=torch.from_numpy(text), factors=torch.from_numpy(factors))

    def _text(self, catalog: Catalog, decoder: Decoder) -> Tensor:
        """Title and attribute features, each standardised by the statistics of the training catalog."""
        raw = text_features(catalog, decoder, ItemWords.of(catalog).lines())
        parts = []
        for name, part in zip(("title", "attributes"), torch.split(raw, decoder.width, dim=1), strict=True):
            scaled, self._statistics[name] = standardise(part, self._statistics.get(name))
            parts.append(scaled)
        return torch.cat(parts, dim=1)

    def _adopt(self, model: ItemTokenModel) -> None:
        self._model = model
        codes = ItemTokens(vocabulary=model.vocabulary, codes=self.book.codes.distinguishing())
        self._encoder = encoder_for(model.decoder, codes, targets=self.config.targets)

    def _tune(self, histories: Sequence[IntArray], context: FitContext, written: Sequence[Mapping[int, ReviewSentence]]) -> None:
        model = self._ready()
        popular = np.concatenate(histories)
        mixture = TaskMixture(self.catalog, self.config, language=self.config.language, popular=popular, reviews=bool(written))

        def batches(epoch: int) -> list[PackedBatch]:
            rng = np.random.default_rng([context.seed, epoch])
            pieces = chunks(histories, length=self.config.max_history, rng=rng, written=written)
            encoded = [one for example in mixture.examples(pieces, rng) for one in self._encoder.lessons(example, rng)]
            return self.batches(encoded, rng)

        steps = self.config.epochs * len(batches(0))
        self.perplexity = {"before": word_perplexity(self, context)}
        torch.manual_seed(context.seed)
        model.tune()
        measure = validation_loss(self, context)

        def loss(batch: PackedBatch) -> tuple[Tensor, float]:
            return losses(model, batch, self._encoder.trie, self.catalog)

        def check() -> float:
            found = measure() if measure else math.nan
            model.tune()
            return found

        loop = TuningLoop(model, loss, self.config, steps=steps, seed=context.seed)
        loop.run(batches, progress=context.progress, folder=context.folder, check=check if measure else None)
        self.curve = loop.state.curve
        self.perplexity["after"] = word_perplexity(self, context)

    def batches(self, encoded: Sequence[Encoded], rng: np.random.Generator) -> list[PackedBatch]:
        """Rows of many examples, in random order."""
        return batches_of(encoded, self.config, rng, padding=self._encoder.codes.answer)

    def followed(self, query: Query, target: int) -> Encoded:
        """A history and the item that followed it, which alone is to be predicted."""
        example = self._example(query)
        encoded = self._encoder.encode(replace(example, trunk=(*example.trunk, ItemRef(target)), branches=(), next_item=True))
        return replace(encoded, next_items=encoded.next_items[-1:])

    def serving(self) -> tuple[ItemTokenModel, Encoder]:
        """The model with its present weights as it serves, without its tables, and what turns requests into its tokens."""
        self._ready().serve()
        return self._ready(), self._encoder

    def _ready(self) -> ItemTokenModel:
        if self._model is None:
            raise ModelError("Model 'lm' has not been tuned yet. Call fit(dataset) or load(folder, catalog) first.")
        return self._model

    @property
    def tuned(self) -> tuple[ItemTokenModel, ItemTable, Encoder]:
        """The model as it serves, its tables, and what turns requests into its tokens."""
        model = self._ready()
        if self._items is None:
            raise ModelError("Model 'lm' is being tuned; it can be read after fit has returned.")
        return model, self._items, self._encoder

    def encoded(self, queries: Sequence[Query]) -> list[Encoded]:
        """Requests as the tokens that `score` reads."""
        return [self._encoder.encode(self._example(query)) for query in queries]

    def warm(self) -> None:
        """Make ready to serve with the present weights and settings; `fit` and `load` do so themselves."""
        model = self._ready()
        model.serve()
        with torch.inference_mode():
            self._items = model.table()
        if self.book.codes.kind != "atomic":
            precision = None if self.config.precision == "own" else self.config.precision
            self._generator = ItemGenerator(model, self._items, self._encoder.codes, self._encoder.trie, precision=precision)

    def item_vectors(self) -> FloatArray | None:
        """The vectors with which items are read."""
        return np.asarray(self.tuned[1].inputs[: len(self.catalog)].float().numpy())

    def saliency(self, query: Query, item: ItemId) -> Sequence[ReadToken]:
        """Integrated gradients of the item's score, and attention; not for codes of several tokens, whose score is a search."""
        if self._generator is not None:
            return ()
        return token_saliency(*self.tuned, self.encoded([query])[0], self.catalog, self.catalog.index[item])

    def text_effects(self, query: Query, item: ItemId) -> Mapping[tuple[str, str], float]:
        """Label values of the item that its text would lack; none for codes of several tokens, whose score is a search."""
        model, items, encoder = self.tuned
        lines, code = ItemWords.lines_without(self.catalog, self.catalog.index[item]), self.catalog.index[item]
        if self._generator is not None or not lines:
            return {}
        texts, _ = standardise(mean_words(list(lines.values()), model.decoder), self._statistics["attributes"])
        texts = torch.cat([model.text[code, : texts.shape[1]].expand(len(texts), -1), texts], dim=1)
        effects = text_effects(model, items, encoder, self.encoded([query])[0], code, texts)
        return dict(zip(lines, effects, strict=True))

    def is_personal(self, query: Query) -> bool:
        """A history or words are enough."""
        return super().is_personal(query) or bool(query_words(query))

    def score(self, queries: Sequence[Query]) -> FloatArray:
        """Log-probabilities float32 [num_queries, num_items], not normalised where codes are atomic.

        Codes of several tokens are searched under what the query allows: items that the beam did not reach stand behind it.
        """
        self._ready()
        encoded = self.encoded(queries)
        out = np.empty((len(queries), len(self.catalog)), dtype=np.float32)
        if self._generator is None:
            rows = share(encoded, apart=self.tuned[0].decoder.both_ways)
            for block in blocks([len(row.example.tokens) for row in rows], SERVING_TOKENS):
                some = [rows[k] for k in block]
                out[[k for row in some for k in row.members]] = self._forward(some, encoded)
        else:
            for block in blocks([len(example.tokens) for example in encoded], SERVING_TOKENS):
                out[block] = self._search(self._generator, [encoded[k] for k in block], [queries[k] for k in block])
        return out

    def _forward(self, rows: Sequence[Shared], encoded: Sequence[Encoded]) -> FloatArray:
        """Scores of the requests of some rows, in the order of their members."""
        model, items, _ = self.tuned
        packed = pack([row.example for row in rows], [[k] for k in range(len(rows))], padding=self._encoder.codes.answer)
        places = [line * packed.batch.tokens.shape[1] + place for line, row in enumerate(rows) for place in row.answers]
        requests = [encoded[k] for row in rows for k in row.members]
        with torch.inference_mode():
            hidden = model.hidden(packed.batch, items).flatten(0, 1)[places]
            scores = torch.empty(len(requests), len(self.catalog))
            for asked in (False, True):
                chosen = [k for k, example in enumerate(requests) if bool(example.questions) == asked]
                if chosen:
                    words = model.pool_lists([requests[k].questions[0].words for k in chosen]) if asked else None
                    scores[chosen] = model.logits(hidden[chosen], items, words)
        return scores.numpy()

    def _search(self, generator: ItemGenerator, encoded: Sequence[Encoded], queries: Sequence[Query]) -> FloatArray:
        prompts = [
            Prompt(tokens=example.tokens, words=example.questions[0].words if example.questions else ()) for example in encoded
        ]
        masks = np.stack([allowed(query, self.catalog) for query in queries])
        options = self.config.search(max(query.n for query in queries))
        return generator.rank(prompts, masks, replace(options, seed=self.seed))

    def _example(self, query: Query) -> Example:
        """The prompt of a query; nothing is to be predicted inside it."""
        example = query_example(query, self.catalog, language=self.config.language, max_history=self.config.max_history)
        return replace(example, next_item=False)

    def save(self, folder: Path) -> None:
        """Write adapters, item table and heads, item codes, the curve, and which base they belong to."""
        model = self._ready()
        model.save(folder)
        arrays: dict[str, Any] = {f"statistics.{name}": value.numpy() for name, value in self._statistics.items()}
        arrays |= arrays_of(self.book) | {"text_to_factors": self._to_factors}
        write_model(folder, self.name, config=self.config, catalog=self.catalog, arrays=arrays)
        base = {"name": self.config.base, "sha256": self.base_sha256, "seed": self.seed}
        (folder / "base.json").write_text(json.dumps(base), encoding="utf-8")
        write_codes(folder / "codes.json", self.book.codes, self.catalog.item_ids)
        (folder / "curve.json").write_text(json.dumps(self.curve), encoding="utf-8")
        (folder / "perplexity.json").write_text(json.dumps(self.perplexity), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, catalog: Catalog) -> Self:
        """Read what `save` wrote. Items added at the end of the catalog since get tokens from their text alone."""
        config, arrays, num_items = read_model(folder, cls.name, config_type=cls.config_type, catalog=catalog)
        self = cls(config)
        saved = json.loads((folder / "base.json").read_text(encoding="utf-8"))
        decoder = self._decoder(FitContext(seed=int(saved["seed"])))
        if saved["sha256"] != self.base_sha256:
            raise ModelError(
                f"{folder} was tuned on base '{saved['name']}' with sha256 {saved['sha256'][:12]}..., but this machine has "
                f"{self.base_sha256[:12]}.... Fetch the same base, or train again."
            )
        self.book = read_book(read_codes(folder / "codes.json", catalog.item_ids[:num_items]), arrays)
        self.curve = json.loads((folder / "curve.json").read_text(encoding="utf-8"))
        told = folder / "perplexity.json"
        self.perplexity = json.loads(told.read_text(encoding="utf-8")) if told.is_file() else {}
        self._statistics = {name: torch.from_numpy(arrays[f"statistics.{name}"]) for name in ("title", "attributes")}
        self._to_factors = arrays["text_to_factors"]
        self.catalog = catalog
        text = self._text(catalog, decoder)
        known = Features(text=text[:num_items].clone(), factors=torch.zeros(num_items, config.factor_width))
        model = ItemTokenModel(decoder, known, self._written(known), dropout=config.dropout)
        model.restore(folder)
        if len(catalog) > num_items:
            self._grow(model, text[num_items:])
        self._adopt(model)
        self.warm()
        return self

    def codes_of(self, new: Catalog) -> IntArray:
        """The codes that items outside the catalog would get from their text alone, int64 [num_new, longest]."""
        decoder = self._ready().decoder
        return codes_of(self.book, _described(new, self._features_of(self._text(new, decoder))), decoder.tokenizer.encode)

    def _features_of(self, text: Tensor) -> Features:
        """What is known of items without clicks: their text, and factors estimated from it."""
        return Features(text=text, factors=text @ torch.from_numpy(self._to_factors))

    def _grow(self, model: ItemTokenModel, text: Tensor) -> None:
        """Give the last items of the catalog, with features `text`, what tuning gave the others: a code and factors."""
        new = self._features_of(text)
        model.grow(new)
        titles = self.catalog.titles[len(self.catalog) - len(text) :]
        described = Described(titles=titles, text=new.text.numpy(), factors=new.factors.numpy())
        self.book = grow(self.book, described, model.decoder.tokenizer.encode)


def _described(catalog: Catalog, items: Features) -> Described:
    """Items as codes are made from them."""
    return Described(titles=catalog.titles, text=items.text.numpy(), factors=items.factors.numpy())
