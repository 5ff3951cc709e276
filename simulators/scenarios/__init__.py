"""The library of scenarios: sites whose faults are known from the field, with the right answers.

In: a scenario's id. Out: its site, loads, faults and golden answers, or a folder of these files.
Law: a golden answer is worked out by hand, and its calculation stands beside it.
"""
