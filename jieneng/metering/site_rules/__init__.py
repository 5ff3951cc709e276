"""Rules of a site by subject: references, formulas, addresses on a bus, dates, and warnings.

In: a site, its meter models, and the keys that could not be read. Out: problems and warnings, each
with file, line and fix.
Laws: pure. A rule is not applied if a value that it needs could not be read.
"""
