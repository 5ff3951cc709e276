"""jieneng/cli/probe."""
