"""Keep samples that could not be stored on disk, with the reason, until a person decides.

In: items of messages that the checks or the store refused. Out: entries to list, show, replay and
drop, and the number of held samples of each agent. Laws: once an agent has received the
acknowledgement that a batch is quarantined, it deletes the batch; so these entries are deleted only
after a replay that the store has confirmed, or by a person. All other entries (for example hostile
messages) are deleted when newer entries need the space.
"""
