"""Runs in the building: polls meters, keeps what they say, publishes it."""
