"""An independent witness: simulated meters that behave, and that misbehave on demand.

In: a site folder with `simulator.toml`, a fault script. Out: meters on ports of this machine, a
control over HTTP, a record of the truth, and the score of a store against that record.

- `load`: the consumption and rate behind each meter, at any moment.
- `protocols`: registers of a model, and the bytes of requests and replies; one file a protocol.
- `faults`: the kinds of faults, a module per layer.
- `registers`: a load, seen through the devices installed over time.
- `scripting`: which faults are in force, when and where.
- `serving`: TCP ports, pseudo-terminals and the control.
- `scoring`: the truth of a run, and a store compared with it.
- `scenarios`: cases from the field with golden answers.
- `settings`, `simulated_site`, `meter_history`: keys of `simulator.toml`, the site built from them,
  and its past readings.
- `verdict`, `app`: the verdict on an answer, and the run of `jieneng simulate`.

Law: no code is shared with the agent, because the simulators check it.
"""
