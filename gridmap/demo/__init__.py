"""The demo district 示范区: believable, entirely simulated, and the same for a seed on every machine."""

from gridmap.demo.district import DISTRICT_NAME, TODAY, Demo, generate
from gridmap.demo.report import PlausibilityReport

__all__ = ["DISTRICT_NAME", "TODAY", "Demo", "PlausibilityReport", "generate"]
