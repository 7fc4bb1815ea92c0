"""A corpus of labelled inputs: one small body stored in every way we know of, good and bad."""

from __future__ import annotations

from .base import Entry
from .masks import CATALOGUE as MASKS
from .volumes import CATALOGUE as VOLUMES

ENTRIES: dict[str, Entry] = {}
for _catalogue in (VOLUMES, MASKS):
    for _entry in _catalogue.entries:
        assert _entry.name not in ENTRIES, f"two entries are called {_entry.name}"
        ENTRIES[_entry.name] = _entry
