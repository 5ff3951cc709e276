"""jieneng/cli/simulate."""
