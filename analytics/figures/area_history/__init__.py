"""Find which areas existed in which part of a time: built, closed, let out, taken back.

In: the areas of a site, and periods. Out: the areas that joined or left between them.
Law: pure.
"""
