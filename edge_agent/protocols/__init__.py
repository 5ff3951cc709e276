"""One file a protocol: generators that yield bytes out and are sent bytes in."""
