"""Rules of a site by subject: references between rows, addresses on a bus, dates, and warnings.

In: a site, its meter models, and the places that could not be read. Out: problems and warnings,
each with its place and how to correct it.
Laws: pure; a rule that needs a value which could not be read is not applied.
"""
