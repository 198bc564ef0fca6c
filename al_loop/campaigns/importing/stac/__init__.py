"""Folders of STAC: catalogues, ItemCollections and EOTDL's `catalog.parquet`, with labels of the Label extension.

Whatever a document names is looked for in the folder; no address is ever fetched.
"""

from collections.abc import Sequence

from al_loop.campaigns.importing.listing import Listing
from al_loop.campaigns.importing.stac.items import StacItem
from al_loop.campaigns.importing.stac.planning import plan
from al_loop.campaigns.importing.stac.reading import LOOKED_FOR, read_items

__all__ = ["LOOKED_FOR", "holds_labels", "plan", "read_items", "recognises"]


def holds_labels(items: Sequence[StacItem]) -> bool:
    """Whether an item holds labels; a catalogue of mere files is read as the folder that it lists."""
    return any(item.is_label for item in items)


def recognises(listing: Listing) -> bool:
    """Whether the folder holds items with labels."""
    return holds_labels(read_items(listing))
