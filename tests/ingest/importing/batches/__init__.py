"""Numbered imports: what is written ahead, undone, and contradicted."""
