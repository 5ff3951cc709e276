"""Read and write `import.toml`, in which a person states once how the files of a site are read.

In: `import.toml` in a site's folder, or another file of this form, and the options of a command.
Out: the options of an import; and the text of a mapping, written from what was detected in a file.
Laws: options of the command take precedence over the mapping. Every key is checked; an error has
file, line and fix.
"""
