"""Compute the inputs of the indicators of all scopes in a period.

In: consumption by meter and day, findings, factors. Out: for each scope, the daily amounts, the
denominators, coverage and doubt that its indicators need.
Laws: pure. What all scopes have in common is computed once for all of them, and each scope looks
only at the meters in it. So the time grows with the number of meters, not with its square.
"""
