"""Tariffs and costs: the price of each moment, and the cost of accounts, areas and institutions.

In: rows of `tariffs.toml`, consumption by interval, and bills. Out: amounts and costs by account
and scope, with what makes them doubtful.
Laws: pure, except `tariff_files`, which reads the files. Costs are in yuan. An unknown price or
amount gives an unknown cost, never 0.
"""
