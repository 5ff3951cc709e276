"""The command `jieneng`: arguments in, exit codes out."""
