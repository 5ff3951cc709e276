"""The commissioning command `jieneng edge probe`.

In: the options as typed, and the site folder if there is one. Out: the units, the models that fit
them, the registers of displayed numbers, and last the TOML to paste, on standard output; progress
on standard error; sign-off records in a file. Laws: a probe only reads; the site's own settings
apply unless an option overrides them; a sign-off accepts no override.
"""
