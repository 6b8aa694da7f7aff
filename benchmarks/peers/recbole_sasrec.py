"""RecBole's SASRec, trained by RecBole's own trainer; runs in RecBole's environment and is asked over lines of JSON.

    python recbole_sasrec.py FOLDER SETTINGS

FOLDER/ml/ml.inter holds the interactions in RecBole's format, SETTINGS is a JSON object of RecBole's settings. Questions:
{"batches": n}: train so many batches; {"cpu_s": s}: train batch by batch, epoch after epoch, until the process has used so much
processor time since the question; {"scores": file}: write scores of every test query, .npy float32 [users, items], columns and rows
named in the answer. Training answers with targets, seconds and processor seconds.
"""

import itertools
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed


class Sasrec:
    """The trainer, its data, and how far it is."""

    def __init__(self, folder: str, settings: dict[str, Any]) -> None:
        config = Config(model="SASRec", dataset="ml", config_dict={**settings, "data_path": folder})
        init_seed(config["seed"], config["reproducibility"])
        self.dataset = create_dataset(config)
        self.train, _, self.test = data_preparation(config, self.dataset)
        self.model = get_model(config["model"])(config, self.train.dataset).to(config["device"])
        self.trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, self.model)
        self.epoch, self.batches = 0, self.endless()

    def endless(self) -> Iterator[Any]:
        """Batches of one epoch after another."""
        while True:
            yield from self.train
            self.epoch += 1

    def some(self, count: int | None, cpu_s: float | None) -> Iterator[Any]:
        """Batches until there are `count`, or so much processor time is used; counts their targets."""
        began = time.process_time()
        for batch in itertools.islice(self.batches, count):
            self.targets += len(batch)
            yield batch
            if cpu_s is not None and time.process_time() - began > cpu_s:
                return

    def learn(self, count: int | None = None, cpu_s: float | None = None) -> dict[str, float]:
        """One call of the trainer's own loop over these batches."""
        self.targets = 0
        began, cpu = time.perf_counter(), time.process_time()
        self.trainer._train_epoch(self.some(count, cpu_s), self.epoch, show_progress=False)
        return {"targets": self.targets, "seconds": time.perf_counter() - began, "cpu_s": time.process_time() - cpu}

    @torch.no_grad()
    def scores(self, file: str) -> dict[str, list[str]]:
        """Scores of the whole catalog for every test query, and the names of rows and columns."""
        self.model.eval()
        rows, users = [], []
        for interaction, *_ in self.test:
            rows.append(self.model.full_sort_predict(interaction).view(len(interaction), -1)[:, 1:].numpy())
            users += interaction[self.dataset.uid_field].tolist()
        np.save(file, np.concatenate(rows).astype(np.float32))
        names = self.dataset.id2token(self.dataset.iid_field, np.arange(1, self.dataset.item_num))
        return {"users": list(self.dataset.id2token(self.dataset.uid_field, users)), "items": list(names)}


def main() -> None:
    """Answer questions until there are no more."""
    peer = Sasrec(sys.argv[1], json.loads(sys.argv[2]))
    for line in sys.stdin:
        asked = json.loads(line)
        if "scores" in asked:
            answer = peer.scores(asked["scores"])
        elif "cpu_s" in asked:
            answer = peer.learn(cpu_s=asked["cpu_s"])
        else:
            answer = peer.learn(count=asked["batches"])
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
