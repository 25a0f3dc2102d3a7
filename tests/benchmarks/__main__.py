"""`python -m tests.benchmarks [names]`: run benchmarks (all without names) and print a table."""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path

from tests.benchmarks.figures import Figure


def modules(names: list[str]) -> list[str]:
    """The benchmark modules whose names contain one of `names`."""
    found = sorted(path.stem for path in Path(__file__).parent.glob("bench_*.py"))
    return [one for one in found if not names or any(name in one for name in names)]


def main(names: list[str]) -> int:
    chosen = modules(names)
    if not chosen:
        print(f"no benchmark is called {' or '.join(names)}", file=sys.stderr)
        return 2
    missed: list[Figure] = []
    for name in chosen:
        print(f"\n== {name}", flush=True)
        start = time.perf_counter()
        for figure in importlib.import_module(f"tests.benchmarks.{name}").measure():
            print(figure.line(), flush=True)
            if not figure.is_met:
                missed.append(figure)
        print(f"   ({time.perf_counter() - start:.0f} s)", flush=True)
    print(f"\n{len(missed)} figure(s) outside their budget" + "".join(f"\n  {one.name}" for one in missed))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
