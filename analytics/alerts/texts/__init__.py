"""Render alerts and notices as texts for people.

In: alerts, notices, rules, and the names of the site. Out: titles, bodies, and the texts of tables.
Law: pure functions, so that mail, messengers, terminal and page say the same in every language.
"""
