"""Read meter models from TOML, check them, and plan their requests.

In: a TOML document. Out: a checked model, and the requests for its quantities. `meter_model`
defines the part of a model that is equal for all protocols. Each protocol has one module (a form)
with the structs, the rules and the requests of its points; `model_forms` lists them. Laws: only the
form of a protocol knows the addresses of its points. A wrong model is refused with a list of all
its problems.
"""
