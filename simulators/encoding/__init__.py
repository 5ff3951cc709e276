"""simulators/encoding."""
