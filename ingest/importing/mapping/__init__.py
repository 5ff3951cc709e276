"""The mapping of a site's files: `import.toml`, what people say of them once and for all.

In: `import.toml` of a site's folder, or another file of its form, and the options of a command.
Out: the options of an import, and a mapping to keep, from what was detected. Laws: an option of the
command precedes the mapping; every key is checked, with file, line and fix.
"""
