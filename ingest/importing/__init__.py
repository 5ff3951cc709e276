"""Import history from CSV and XLSX files into the store.

In: a file, the site, and options for reading the file.
Out: points in the store, and a report with the line and the fix of each problem.
Laws: a file is imported completely or not at all, unless bad rows are skipped on request; every
import that writes is a batch that can be undone; memory grows by some bytes a value; importing a
file again changes nothing.
"""
