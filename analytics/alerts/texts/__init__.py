"""Render alerts and notices as texts for people.

In: alerts, notices, rules, and the names of the site. Out: titles, bodies, and the texts of tables.
Law: pure functions. Mail, messengers, terminal and page take their texts from here, so they have
the same content in every language.
"""
