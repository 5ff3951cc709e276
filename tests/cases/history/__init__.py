"""Finished imports: numbered, undone, skipped in part, exported, and computed again."""
