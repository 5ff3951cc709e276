"""Decide whether the system clock can be trusted, and watch it for jumps.

In: readings of UTC and of the machine's running time. Out: a verdict, stamps in running time for
readings taken before the clock was plausible, and the machine's start time for those that wait.
Laws: a stamp once given is never changed here; a jump is logged, and never hidden.
"""
