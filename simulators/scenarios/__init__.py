"""simulators/scenarios."""
