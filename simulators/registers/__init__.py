"""Simulated meters: a load, seen through the registers of the devices installed over time.

In: a load, the meter's devices and transformer ratios over time, their models, states of faults.
Out: what a device shows at any moment (live), and arrays of counter readings (history).
Laws: registers are functions of time; history and live readings agree to the last digit; no
protocol is known here (`simulators.protocols` builds the devices).
"""
