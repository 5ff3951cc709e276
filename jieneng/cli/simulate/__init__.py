"""The command `jieneng simulate`.

In: a site folder, a fault script, a truth folder. Out: a running simulator, requests to it, scores.
Laws: a running simulator is reached through `simulator.json` of its site, or by `--url`; the
commands import the simulators only when they run, so that `--help` is quick.
"""
