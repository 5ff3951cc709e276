"""Numbered imports: saved values, undo, and contradictions."""
