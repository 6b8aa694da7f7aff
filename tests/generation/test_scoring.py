"""A decoder searched through its shared prompt finds the items and scores of reading every prompt and code whole."""

import numpy as np
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from instructrec.generation.beam import BeamOptions, beam_search
from instructrec.generation.codebooks import semantic
from instructrec.generation.scoring import CodeScores
from instructrec.generation.trie import Trie
from instructrec.lm.shared_prefix import SharedPrefixDecoder

WIDTH, NUM_ITEMS, LENGTH = 32, 14, 7


def test_items_and_scores_equal_those_of_whole_sequences() -> None:
    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=8, hidden_size=WIDTH, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4)
    body = AutoModelForCausalLM.from_config(config).get_decoder().eval()
    codes = semantic(np.random.default_rng(0).standard_normal((NUM_ITEMS, 4), dtype=np.float32), sizes=(3, 2)).codes
    table, prompts = torch.randn(codes.num_tokens, WIDTH), torch.randn(2, LENGTH, WIDTH)
    mask = np.random.default_rng(1).random((2, NUM_ITEMS)) < 0.7
    trie, decoder = Trie.build(codes), SharedPrefixDecoder(body)
    scores = CodeScores(decoder, decoder.read(prompts), inputs=table, outputs=table)
    found = beam_search(scores, trie, trie.allow(mask), BeamOptions(width=NUM_ITEMS, normalise="vocabulary"))
    for row in range(2):
        wanted = {}
        for item in np.flatnonzero(mask[row]):
            code = torch.tensor(codes.encode(int(item)))
            with torch.no_grad():
                hidden = body(inputs_embeds=torch.cat([prompts[row], table[code[:-1]]])[None]).last_hidden_state[0, LENGTH - 1 :]
            steps = (hidden @ table.T).log_softmax(dim=1)
            wanted[int(item)] = float(steps[torch.arange(len(code)), code].sum())
        items = [int(item) for item in found.items[row] if item >= 0]
        assert items == sorted(wanted, key=lambda item: -wanted[item])
        np.testing.assert_allclose(found.scores[row, : len(items)], [wanted[item] for item in items], atol=1e-3)
