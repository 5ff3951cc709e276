"""Find mistakes and probable mistakes in `alerts.toml`.

In: the rows of the site's file, the packaged rules, and the site. Out: problems and warnings, each
with its place in the file and a sentence that says how to fix it. Pure.
"""
