"""What the words mean: elements, layers, roles, codes, datums, privacy. No SQL, files, screens or clocks."""
