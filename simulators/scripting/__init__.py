"""simulators/scripting."""
