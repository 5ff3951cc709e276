"""Rules of a site that need a module of their own: references between rows, and warnings.

In: a site, its meter models, and the places that could not be read. Out: problems and warnings,
each with its place and how to correct it.
Laws: pure; a rule that needs a value which could not be read is not applied.
"""
