"""simulators/registers."""
