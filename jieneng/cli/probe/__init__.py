"""The commissioning command `jieneng edge probe`.

In: the options as typed, and the site folder if there is one. Out: on standard output the units,
the models that fit them, the registers of displayed numbers, and TOML to paste; progress on
standard error; sign-off records in a file. Laws: a probe only reads. Options override the site's
settings. A sign-off is refused if any option differs from the site's settings.
"""
