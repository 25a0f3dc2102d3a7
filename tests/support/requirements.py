"""What happens to a test whose machine lacks something: skipped with a reason, or failed where the suite decides."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def absent(reason: str, *, variable: str) -> NoReturn:
    """
    Skip, saying why; but fail under CI (CI=true) or when `variable` is set.

    Where the suite decides about a release, half of the tests must not vanish in silence.
    """
    if any(os.environ.get(name, "").lower() in {"1", "true", "yes"} for name in ("CI", variable)):
        pytest.fail(reason)
    pytest.skip(reason)
