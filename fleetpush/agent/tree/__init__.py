"""A host's side of a tree: many files, directories and links below one directory."""
