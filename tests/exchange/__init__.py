"""Files in, files out, and what is wrong with files."""
