"""The demo district 示范区: a believable, entirely simulated district, the same for a seed on every machine."""
