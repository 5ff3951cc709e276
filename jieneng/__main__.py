"""Run the command `jieneng` by `python -m jieneng`."""

from jieneng.cli import main

main()
