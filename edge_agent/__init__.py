"""Runs in the building: polls meters, keeps what they say, publishes it.

Which room hands what to which. The law of each stands in its own first lines.

- Beginning: `config` says what this agent has to do (`places` tells whether two buses are one), and
  `app` builds all the others and ends them.
- Asking: `buses` runs one `poller` a bus. It is told by `schedule` whose turn it is (`face` knows
  where the slots lie, also on a clock that went back), by `standing` what there is to ask and,
  through a `breaker`, whether that is silent; `course` is one of its polls. What it wants asked are
  exchanges of `protocols`, which `protocols.modbus` makes.
- Wires: `links` opens connection or port and hands the poller's talk to its `wire`, which sends
  each question and gives the reply back to the talk. `patience` says how long that is waited for,
  `serial_line` what takes how long on a serial port.
- Understanding: `meter` says which registers a poll asks for, and makes a sample of the replies;
  `judge` marks what is to be doubted.
- Keeping: each poll goes to the `keeper`, which makes numbered batches and puts them into the
  `spool`. That is the door to `spool_file`, on a thread of its own: `batches` works on the tables
  of `spool_tables` in a `sqlite_file`, `tally` has a second copy of the counts, `reserve` keeps
  room on the disk, `rescue` saves what a damaged file still gives back, and `undated` are the
  batches that wait for their time.
- Publishing: the `publisher` sends what the `window` lets go out of the spool, and takes it out of
  there on the ingest's word.
- Time: `timekeeper` says whether the clock may be believed; `clock_watch` looks at it, and has the
  spool date what waits.
- Being seen: `health` is what the publisher's status and `metrics` tell beside their counts.

Never in a running agent: `bus_time` predicts a round for `jieneng check`. `probe` finds out what
hangs on a bus: `recognise` says which model it may be, `ways` how that may be asked, `display`
where a shown number lies, `spans` where it is looked for, `paste` prints the TOML, and `sign_off`
keeps a person's word for it.
"""
