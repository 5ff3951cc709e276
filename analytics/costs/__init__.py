"""Costs of accounts, areas, institutions and the site, compared with bills.

In: consumption by interval, the prices of accounts on each day, and bills. Out: amounts and costs
    by price period, with findings.
Laws: pure. Costs are in yuan. An unknown price or amount gives an unknown cost, never 0.
"""
