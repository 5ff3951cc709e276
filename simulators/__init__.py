"""Simulate the meters of a site, with faults on demand, and score what another system has stored.

In: a site folder with `simulator.toml`, and a fault script. Out: simulated meters on ports of this
machine, an HTTP interface to switch faults, a record of the true consumption and of all answers,
and the score of a store against that record.

- `load`: the consumption and rate behind each meter, at any moment.
- `protocols`: the registers of a meter model, and the bytes of requests and replies; one module for
  each protocol.
- `faults`: the kinds of faults; one module for each layer, from connections to consumption.
- `registers`: the readings that a meter's devices show, computed from the meter's load.
- `scripting`: fault scripts, which say when faults are in force, and for which meters.
- `serving`: TCP ports, pseudo-terminals and the HTTP interface.
- `scoring`: write the true values of a run, and compare a store with them.
- `scenarios`: fault cases that occurred in real systems, with the right results.
- `settings`, `simulated_site`, `meter_history`: keys of `simulator.toml`, the site built from them,
  and its past readings.
- `verdict`, `app`: the verdict on an answer, and the run of `jieneng simulate`.

Law: the simulators share no code with the agent, because they check the agent independently.
"""
