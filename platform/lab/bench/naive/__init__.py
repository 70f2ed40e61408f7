"""A naive service of the same shape as posts, feed and auth together: the reference of `./lab bench`.

It is what the course starts from: one FastAPI program with blocking clients, which publishes to Kafka within
the request. A crash between the two writes loses an event, MongoDB has one copy, and nothing is discovered or
replaced. It pays for none of this, so a row in which it is faster shows what the guarantees cost.
"""

FEED = "naive:feed"
"""The list with all entries in Redis; `naive:feed:<user>` holds those of one user."""
FEED_MAX = 1000
APPLIED = "naive:applied"
"""The number of events that the consumer has handled."""
