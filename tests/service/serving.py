"""A service that listens, and a catalog that is out to harm its page."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.hostile import ACTIVE

from instructrec.service.live import Live


@dataclass(frozen=True)
class Served:
    """A service that listens on this machine."""

    url: str
    live: Live


def spoil(live: Live) -> int:
    """Put items with hostile titles, texts and attributes in the place of all others in the catalog of a service; how many."""
    others = [{"item_id": item, "available": False} for item in live.snapshot.catalog.item_ids]
    rows = [
        {"item_id": f"h{place}", "title": title, "text": title, "attributes": {"genres": [title[:200]]}}
        for place, title in enumerate(ACTIVE)
    ]

    async def change():
        taken = await live.put_items(rows)
        await live.put_items(others)
        await live.refresh()
        return sum(not isinstance(found, str) for found in taken)

    # In a thread of its own: the one of a test may be busy with the loop of a browser.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(change())).result()
