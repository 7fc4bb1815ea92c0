"""A corpus of labelled inputs: one small body stored in every way we know of, good and bad."""

from __future__ import annotations

from .base import Entry
from .devices import CATALOGUE as DEVICES
from .masks import CATALOGUE as MASKS
from .segments import CATALOGUE as SEGMENTS
from .series import CATALOGUE as SERIES
from .structures import CATALOGUE as STRUCTURES
from .volumes import CATALOGUE as VOLUMES

ENTRIES: dict[str, Entry] = {}
for _catalogue in (VOLUMES, MASKS, SERIES, SEGMENTS, STRUCTURES, DEVICES):
    for _entry in _catalogue.entries:
        assert _entry.name not in ENTRIES, f"two entries are called {_entry.name}"
        ENTRIES[_entry.name] = _entry
