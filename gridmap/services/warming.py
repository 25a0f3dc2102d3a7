"""What the first reader after a start would wait for, worked out beforehand while nobody asks for it."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

from gridmap.errors import GridmapError
from gridmap.services import overview
from gridmap.services.district import District

_log = logging.getLogger("gridmap")
_NICE = 10
_PATIENCE_S = 5.0


class Warming:
    """One thread that runs behind everything else, once; whatever goes wrong in it is written to the log."""

    def __init__(self, get_district: Callable[[], District]) -> None:
        self._get_district = get_district
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gridmap-warming", daemon=True)

    def start(self) -> None:
        """Begin; answers at once."""
        self._thread.start()

    def stop(self) -> None:
        """Leave out what is not begun yet, and wait a little for what is."""
        self._is_over.set()
        self._thread.join(_PATIENCE_S)

    def _run(self) -> None:
        _step_back()
        try:
            overview.warm(self._get_district(), is_over=self._is_over.is_set)
        except GridmapError as error:
            _log.warning("the overview could not be prepared: %s", error)
        except Exception:
            # whoever opens the page is told; nothing else depends on it
            _log.warning("the overview could not be prepared", exc_info=True)


def _step_back() -> None:
    """Let every other thread go first, where the system can tell threads apart."""
    try:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
    except (AttributeError, OSError):
        _log.debug("the priority of a thread cannot be set here")
