"""Import earlier readings, bills, headcounts and floor areas from files into the store.

In: a file, the site, and options for reading the file.
Out: points in the store, and a report with line and fix for each problem.
Laws: a file is imported completely or not at all, unless a person asks to skip bad rows. Every
import that writes is a numbered batch, and can be undone. Importing a file twice has the same
result as importing it once. The memory needed is some bytes for each value.
"""
