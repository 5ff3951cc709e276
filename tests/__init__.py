"""Tests: a folder for each package, all services together in e2e/, measurements in bench/."""
