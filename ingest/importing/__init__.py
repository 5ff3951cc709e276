"""Import history from CSV and XLSX files into the store.

In: a file, the site, and options for how to read it. Out: points in the store, and a report with
every problem's line and fix. Laws: a file is imported whole or not at all, unless bad rows are to
be skipped; memory does not grow with the file; importing a file again changes nothing.
"""
