"""Read tables of records: bills of suppliers, headcounts, floor areas.

In: a file with a row a record, and the site. Out: records with their lines, and batches that can be
undone. Laws: the readers of cells and files are those of readings; a column is found by its words;
a row with a problem is reported with its line and fix.
"""
