"""The meter models: a TOML document goes in, a checked model and its planned requests come out.

`meter_model` has what all models share; each protocol adds one form for its points, and
`model_forms` lists the forms. Nothing outside of a protocol's form knows how its numbers are
addressed. A model that breaks a rule is refused with all its problems at once.
"""
