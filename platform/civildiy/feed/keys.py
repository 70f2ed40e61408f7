"""The view's keys in Redis and their limits, named once."""

GLOBAL = "feed:activity:global"
GLOBAL_MAX = 1000
USER_MAX = 100

DAY_SECONDS = 24 * 60 * 60
LIST_SECONDS = 7 * DAY_SECONDS
"""A list that nobody adds to is forgotten after a week."""
POST_SECONDS = 9 * DAY_SECONDS
"""A post's version is known for longer than Kafka can send an event again: 7 days, and a segment's day."""

OFFSET = "feed:offset"
"""Next offset to apply: written in the same step as the effects before it."""
GENERATION = "feed:generation"
"""Names the view as a whole: a rebuilt view has another one, so that writers notice the switch."""
MADE_AT = "feed:made-at"
"""End of the topic when the view was last made anew: from there on the topic is what it depends on."""
REBUILD = "feed:rebuild"
"""Who makes the view anew right now; expires when that process dies."""
BESIDE = 1
"""Number of the Redis database in which a view is made anew; readers are in 0."""
COUNTERS = "feed:counters"
"""Hash: applied, stale, skipped, dead."""
PROJECTOR = "feed:projector"
"""The projector's own word that it lives; expires when it stops saying so."""


def of_user(user_id: int | str) -> str:
    """List of one user's entries."""
    return f"feed:activity:user:{user_id}"


def of_post(post_id: str) -> str:
    """Hash of what the view knows of one post: its version and its entry."""
    return f"feed:post:{post_id}"
