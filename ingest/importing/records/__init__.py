"""Import bills of suppliers, headcounts and floor areas.

In: a file with a row for each record, and the site. Out: records with their line numbers, and
batches that can be undone. Laws: files and cells are read by the same code as for readings
(`reading/`, `cells/`). Columns are recognised by words in their names. A row with a problem is
reported with line and fix.
"""
