"""Write checked messages to the store, and decide what is acknowledged.

In: checked messages of many agents. Out: points in the store, items for the quarantine, and
acknowledgements sample by sample. Laws: `stored` is only what the store confirmed; a refusal in
unknown words is believed only after three times over an hour; what can't be acknowledged holds no
place that others need.
"""
