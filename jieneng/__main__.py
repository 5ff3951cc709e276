"""`python -m jieneng` is `jieneng`."""

from jieneng.cli import main

main()
