"""Keep on disk what could not be stored, with the reason, until a person replays or drops it.

In: items of messages that were refused by the checks or by the store. Out: entries to list, show,
replay and drop, and how many samples of each agent are held. Laws: what an agent was told to
forget is never deleted but by a replay that the store confirmed, or by a person; what nobody was
told to forget makes room for newer entries, so hostile senders can't fill what counts.
"""
