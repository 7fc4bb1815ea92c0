"""A corpus of labelled inputs: one small body stored in every way we know of, good and bad."""

from __future__ import annotations

from .base import Entry
from .devices import CATALOGUE as DEVICES
from .masks import CATALOGUE as MASKS
from .rare import CATALOGUE as RARE
from .segments import CATALOGUE as SEGMENTS
from .series import CATALOGUE as SERIES
from .series_faults import CATALOGUE as SERIES_FAULTS
from .structures import CATALOGUE as STRUCTURES
from .volume_faults import CATALOGUE as VOLUME_FAULTS
from .volumes import CATALOGUE as VOLUMES

ENTRIES: dict[str, Entry] = {}
for _catalogue in (VOLUMES, VOLUME_FAULTS, MASKS, SERIES, SERIES_FAULTS, SEGMENTS, STRUCTURES, DEVICES, RARE):
    for _entry in _catalogue.entries:
        assert _entry.name not in ENTRIES, f"two entries are called {_entry.name}"
        ENTRIES[_entry.name] = _entry
