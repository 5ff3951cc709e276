"""The example centre that `init` copies and `demo` runs."""
