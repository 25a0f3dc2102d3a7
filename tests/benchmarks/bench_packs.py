"""The overview and a pack of forty linkage points, on the demo district, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gridmap.services import demo
from gridmap.settings import PROJECT_ROOT
from tests.benchmarks.figures import Figure
from tests.support.clock import FakeClock
from tests.support.district import make_district

# In a fresh process each: what a worker takes, with everything it loads first.
_WORK = """
import json, resource, sys, time
from pathlib import Path
begin = time.perf_counter()
from gridmap.services import overview
from gridmap.services.district import assemble
from gridmap.services.packs import making
from gridmap.services.packs.requests import parse_request
from gridmap.settings import load_settings
from tests.support.district import ADMIN
home, formats = Path(sys.argv[1]), sys.argv[2].split(",")
district = assemble(load_settings({"GRIDMAP_HOME": str(home), "GRIDMAP_DATABASE_URL": f"sqlite:///{home / 'district.gpkg'}"}))
overview.overview(district, ADMIN)
first = time.perf_counter() - begin
pages = 0
if formats != ["none"]:
    request = parse_request({"atlas": "workstation", "has_overview": False, "formats": formats})
    pages = making.make(district, ADMIN, request, home / "pack").pages
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"first": first, "seconds": time.perf_counter() - begin, "mb": used.ru_maxrss / 1024, "pages": pages}))
"""


def _measured(home: Path, formats: str) -> dict[str, float]:
    answer = subprocess.run(
        [sys.executable, "-c", _WORK, str(home), formats],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(answer.stdout.splitlines()[-1])


def measure() -> Iterator[Figure]:
    """Seconds from nothing to the figures and to the finished files, and the most memory on the way."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        district = make_district(f"sqlite:///{home / 'district.gpkg'}", home, FakeClock())
        demo.install(district)
        district.close()
        one = _measured(home, "none")
        yield Figure("overview of the demo, cold process", one["first"], "s")
        for formats, budget in (("pdf", 60.0), ("pdf,pptx,png,html,xlsx", None)):
            found = _measured(home, formats)
            assert found["pages"] == 40
            yield Figure(f"pack of 40 linkage points, {formats}", found["seconds"], "s", budget)
            yield Figure(f"  most memory, {formats}", found["mb"], "MB", 1000.0)
