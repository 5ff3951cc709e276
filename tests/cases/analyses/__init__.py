"""Figures of the analyses, worked by hand and computed by the commands."""
