"""Files and sites as energy managers have them, from the import to the figure.

Each test gives a file, and states the figure, finding or refusal that is right.
"""
