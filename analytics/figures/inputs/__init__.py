"""Compute the inputs of the indicators of all scopes in a period.

In: consumption by meter and day, findings, factors. Out: for each scope, the daily amounts, the
denominators, coverage and doubt that its indicators need.
Laws: pure. Inputs that all scopes have in common are computed once. Each scope then looks only at
its own meters. So the computing time grows with the number of meters, not with its square.
"""
