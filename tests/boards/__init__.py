"""The boards against real databases, with the data of a simulated site."""
