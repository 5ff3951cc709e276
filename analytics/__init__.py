"""Readings -> consumption -> indicators against targets. numpy, pure but for the pipeline."""
