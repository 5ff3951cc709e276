"""Check files that only exist on the site's machine: settings, secrets, addresses of receivers.

In: a site's folder and its settings. Out: problems and warnings with the file and line of the
settings, for `jieneng check` and for the start of a service.
"""
