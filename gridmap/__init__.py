"""gridmap (警务网格一张图): the map that a district's community police keep together."""

__version__ = "0.1.0"
