"""Files that people write: strict YAML that knows its lines, refused with file, line and the nearest right name."""
