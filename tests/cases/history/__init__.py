"""Imports that are done: numbered, undone, skipped in part, exported, and computed anew."""
