"""Commands about imports that were done: list them, show one, undo one.

In: the record of a site's imports, and results of imports. Out: lines for people, and the days that
an import touches computed anew. Law: the commands that import a file are in `import_commands`.
"""
