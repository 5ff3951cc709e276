"""Figures for people: the page (`page`), the terminal (`terminal`), the sheet (`sheet`)."""
