"""Arrays in, arrays out: distance, networks, coverage, access, siting, areas. No database, no files, no screen."""
