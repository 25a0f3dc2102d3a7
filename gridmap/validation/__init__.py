"""Records in, problems out: topology, attributes, privacy. Nothing is repaired in silence."""
