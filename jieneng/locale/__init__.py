"""Texts for people, Chinese by default."""
