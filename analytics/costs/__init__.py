"""Costs of accounts, areas, institutions and the site, and bills beside them.

In: consumption by interval, what accounts pay on each day, and bills. Out: amounts and costs by
price period, with what makes them doubtful.
Laws: pure. Costs are in yuan. An unknown price or amount gives an unknown cost, never 0.
"""
