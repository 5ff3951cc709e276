"""The command `jieneng simulate`.

In: a site folder, a fault script, a truth folder. Out: a running simulator, requests to it, scores.
Laws: the commands find a running simulator through `simulator.json` in its site folder, or by
`--url`. They import the simulators only when they run, so that `--help` is quick.
"""
