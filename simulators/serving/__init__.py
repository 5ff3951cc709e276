"""simulators/serving."""
