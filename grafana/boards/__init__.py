"""One file a board."""
