"""What was worked out from the whole district, kept until the district changes."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

from gridmap.services.district import District
from gridmap.storage.database import Database

_MOST_KEPT = 64
Made = TypeVar("Made")
_caches: weakref.WeakKeyDictionary[Database, OrderedDict[Any, tuple[int, Any]]] = weakref.WeakKeyDictionary()
_cache_lock = threading.Lock()
_making: dict[Any, threading.Lock] = {}


def kept(district: District, key: Any, make: Callable[[], Made], *, is_past: bool = False) -> Made:
    """
    What `make` answers, from memory while the district has not changed; one thread makes it at a time.

    What `is_past` stays as it is, whatever changes.
    """
    sequence = -1 if is_past else district.database.sequence()
    with _cache_lock:
        cache = _caches.setdefault(district.database, OrderedDict())
        lock = _making.setdefault((id(district.database), key), threading.Lock())
    with lock:
        with _cache_lock:
            found = cache.get(key)
        if found is not None and found[0] == sequence:
            return found[1]
        made = make()
        with _cache_lock:
            cache[key] = (sequence, made)
            cache.move_to_end(key)
            while len(cache) > _MOST_KEPT:
                cache.popitem(last=False)
            _making.pop((id(district.database), key), None)
        return made
