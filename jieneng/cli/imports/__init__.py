"""The commands `jieneng import ...`, except `readings`, and the output of imports.

In: files, options, the record of a site's imports. Out: lines for people. The days that an import
changes are computed again. Law: `jieneng import readings` is in `import_commands`.
"""
