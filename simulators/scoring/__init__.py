"""simulators/scoring."""
