"""jieneng/metering/catalog."""
