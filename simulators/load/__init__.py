"""simulators/load."""
