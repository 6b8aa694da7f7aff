"""Residual k-means against an RQ-VAE (Zeghidour et al. 2021, arXiv 2107.03312; for items: TIGER, arXiv 2305.05065) as item codes.

    python -m benchmarks.codebooks --json

Both code the same item vectors (text and collaborative factors of the training data) in levels of the same sizes. The RQ-VAE is an
autoencoder of 512-256-128-32 units whose codebooks start at k-means of the first codes, as TIGER's do; its learning rate is the one
of three that reconstructs best. `tiger` is then tuned on each (MovieLens-100K, leave-one-out): NDCG@10 by full ranking
with seen items hidden on the validation targets, mean and range over --seeds. Also the share of items that need the token
which tells equal levels apart, and seconds to make the codes. "all axes" is the product's k-means in all dimensions of the vectors.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.calibration import add_json_option, finish
from benchmarks.cells import Lines
from instructrec.core import FitContext
from instructrec.data import load
from instructrec.data.split import Split, split
from instructrec.evaluation.protocol import evaluate
from instructrec.generation.books import AtomicBook, Book, CodeConfig, Described, levels_for, make_book
from instructrec.generation.codebooks import semantic
from instructrec.generation.codes import CodeTable, distinct
from instructrec.lm.bases import prepare
from instructrec.models.tiger import Tiger, TigerConfig
from instructrec.tables import FloatArray, IntArray

UNITS = (512, 256, 128, 32)
COMMITMENT = 0.25
RATES = (3e-4, 1e-3, 3e-3)


class ResidualAutoencoder(nn.Module):
    """Encoder, levels of codebooks over what the levels before left over, decoder."""

    def __init__(self, width: int, sizes: Sequence[int]) -> None:
        super().__init__()
        self.encoder, self.decoder = _layers((width, *UNITS)), _layers((*UNITS[::-1], width))
        self.books = nn.ParameterList(torch.zeros(size, UNITS[-1]) for size in sizes)

    def start(self, vectors: Tensor, seed: int) -> None:
        """Codebooks from k-means of the codes as they are now."""
        with torch.no_grad():
            found = semantic(self.encoder(vectors).numpy(), sizes=[len(book) for book in self.books], seed=seed)
            for book, centroids in zip(self.books, found.centroids, strict=True):
                book[: len(centroids)] = torch.from_numpy(centroids)

    def forward(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Reconstructions, the loss of the codebooks, and the levels int64 [rows, levels]."""
        rest = code = self.encoder(vectors)
        total, loss, levels = torch.zeros_like(code), torch.zeros(()), []
        for book in self.books:
            nearest = torch.cdist(rest.detach(), book.detach()).argmin(dim=1)
            chosen = functional.embedding(nearest, book)
            loss = loss + functional.mse_loss(chosen, rest.detach()) + COMMITMENT * functional.mse_loss(rest, chosen.detach())
            rest, total = rest - chosen.detach(), total + chosen
            levels.append(nearest)
        straight = code + (total - code).detach()
        return self.decoder(straight), loss, torch.stack(levels, dim=1)


def _layers(units: Sequence[int]) -> nn.Sequential:
    maps = [part for a, b in zip(units[:-1], units[1:], strict=True) for part in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*maps[:-1])


def autoencoder_levels(vectors: FloatArray, sizes: Sequence[int], *, seed: int, epochs: int) -> IntArray:
    """Level tokens int64 [num_items, levels] of the RQ-VAE that reconstructs best."""
    rows = torch.from_numpy(vectors / vectors.std())
    best, found = np.inf, np.zeros((len(vectors), len(sizes)), dtype=np.int64)
    for rate in RATES:
        torch.manual_seed(seed)
        model = ResidualAutoencoder(rows.shape[1], sizes)
        model.start(rows, seed)
        optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
        for _ in range(epochs):
            for batch in torch.randperm(len(rows)).split(1024):
                again, loss, _ = model(rows[batch])
                optimizer.zero_grad()
                (functional.mse_loss(again, rows[batch]) + loss).backward()
                optimizer.step()
        with torch.no_grad():
            again, _, levels = model(rows)
        error = float(functional.mse_loss(again, rows))
        print(f"  rq-vae, rate {rate}: error {error:.3f}", flush=True)
        if error < best:
            best, found = error, levels.numpy()
    return found + np.cumsum([0, *sizes[:-1]])


def rq_vae_book(epochs: int) -> Any:
    """`make_book` with an RQ-VAE in place of k-means."""

    def make(config: CodeConfig, items: Described, _: Any, *, seed: int = 0) -> Book:
        sizes = config.code_levels or levels_for(len(items.titles))
        levels = autoencoder_levels(items.vectors(items.scales(config.code_text)), sizes, seed=seed, epochs=epochs)
        tokens = np.column_stack([levels, distinct(levels, first_token=sum(sizes))])
        return AtomicBook(codes=CodeTable(kind="semantic", tokens=tokens, num_tokens=int(tokens.max()) + 1))

    return make


def all_dimensions(*arguments: Any, **options: Any) -> Book:
    """`make_book` without looking at principal components alone."""
    with patch("instructrec.generation.codebooks.AXES", 1 << 20):
        return make_book(*arguments, **options)


def measure(make: Any, parts: Split, config: TigerConfig, seed: int) -> dict[str, float]:
    """Tune `tiger` on codes that `make` makes."""
    spent: list[float] = []

    def timed(*arguments: Any, **options: Any) -> Book:
        begun = time.perf_counter()
        book: Book = make(*arguments, **options)
        spent.append(time.perf_counter() - begun)
        return book

    with patch("instructrec.models.lm.make_book", timed):
        model = Tiger(config).fit(parts.train, FitContext(seed=seed, progress=Lines("tiger")))
    levels = model.book.codes.tokens[:, :-1]
    _, counts = np.unique(levels, axis=0, return_counts=True)
    return {
        "ndcg": evaluate(model, parts.valid, k=10).value("ndcg@10"),
        "shared": float(counts[counts > 1].sum() / len(levels)),
        "seconds": spent[0],
    }


def main() -> None:
    """Measure, and print a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="ml-100k")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=500, help="passes of an RQ-VAE over all items")
    parser.add_argument("--tuning-epochs", type=int, default=3, help="passes of tiger over all histories")
    add_json_option(parser)
    options = parser.parse_args()
    prepare("scratch")
    parts = split(load(options.data).dataset)
    makers = {"k-means": make_book, "all axes": all_dimensions, "rq-vae": rq_vae_book(options.epochs)}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in makers}
    for seed in range(options.seeds):
        for name, make in makers.items():
            found[name].append(measure(make, parts, TigerConfig(epochs=options.tuning_epochs), seed))
            print(f"{name}, seed {seed}: NDCG@10 {found[name][-1]['ndcg']:.4f}", flush=True)
    print(f"\n{'codes':8} {'NDCG@10':>8} {'range':>15} {'shared':>7} {'seconds':>8}")
    facts: dict[str, Any] = {
        "data": options.data,
        "seeds": options.seeds,
        "epochs": options.epochs,
        "tuning_epochs": options.tuning_epochs,
    }
    for name, rows in found.items():
        ndcg = [row["ndcg"] for row in rows]
        shared, seconds = (float(np.mean([row[key] for row in rows])) for key in ("shared", "seconds"))
        print(f"{name:8} {np.mean(ndcg):8.4f} {min(ndcg):7.4f}-{max(ndcg):.4f} {shared:7.3f} {seconds:8.1f}")
        facts[name] = {"ndcg": ndcg, "shared": shared, "seconds": seconds}
    finish(facts, options.json)


if __name__ == "__main__":
    main()
