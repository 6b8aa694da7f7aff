"""Recommenders, one file a family, and the plain table that says where each one lives."""

from __future__ import annotations

from importlib import import_module

from instructrec.errors import ModelError, nearest
from instructrec.recommender import Recommender

MODELS: dict[str, str] = {
    "popular": "instructrec.models.popular:Popular",
    "recent": "instructrec.models.recent:Recent",
    "item_knn": "instructrec.models.item_knn:ItemKnn",
    "user_knn": "instructrec.models.user_knn:UserKnn",
    "ease": "instructrec.models.ease:Ease",
    "recency_ease": "instructrec.models.ease:RecencyEase",
    "ridge": "instructrec.models.ridge:Ridge",
    "als": "instructrec.models.als:Als",
    "bpr": "instructrec.models.bpr:Bpr",
    "svd": "instructrec.models.svd:Svd",
    "bm25": "instructrec.models.search:Bm25",
    "sentences": "instructrec.models.search:Sentences",
    "themes": "instructrec.models.themes:Themes",
    "tfidf": "instructrec.models.content:Tfidf",
    "word_vectors": "instructrec.models.content:WordVectors",
    "sentence_vectors": "instructrec.models.content:SentenceVectors",
    "images": "instructrec.models.images:Images",
    "sasrec": "instructrec.models.sasrec:Sasrec",
    "esasrec": "instructrec.models.esasrec:Esasrec",
    "gru4rec": "instructrec.models.gru4rec:Gru4rec",
    "lightgcn": "instructrec.models.graph:LightGcn",
    "gcn": "instructrec.models.graph:Gcn",
    "graphsage": "instructrec.models.graph:GraphSage",
    "gat": "instructrec.models.graph:Gat",
    "two_tower": "instructrec.models.two_tower:TwoTower",
    "lm": "instructrec.models.lm:LanguageModelRecommender",
    "tiger": "instructrec.models.tiger:Tiger",
    "weighted": "instructrec.models.hybrids:Weighted",
    "switching": "instructrec.models.hybrids:Switching",
    "cascade": "instructrec.models.hybrids:Cascade",
    "ranker": "instructrec.models.ranker:Ranker",
    "fusion": "instructrec.models.fusion:Fusion",
}
"""Model name -> "module:Class". A new recommender is one file and one row here."""


def resolve(name: str) -> type[Recommender]:
    """The class behind a model name; its module, and whatever heavy library it needs, is imported only now.

    Raises ModelError for a name that is not in the table.
    """
    if name not in MODELS:
        raise ModelError(f"There is no model '{name}'.{nearest(name, MODELS)} Known models: {', '.join(MODELS)}.")
    module, _, class_name = MODELS[name].partition(":")
    found: type[Recommender] = getattr(import_module(module), class_name)
    return found
