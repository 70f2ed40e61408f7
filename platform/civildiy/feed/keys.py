"""The keys of the view in Redis, and their limits."""

GLOBAL = "feed:activity:global"
GLOBAL_MAX = 1000
USER_MAX = 100

DAY_SECONDS = 24 * 60 * 60
LIST_SECONDS = 7 * DAY_SECONDS
"""Redis removes a list to which nothing was added for a week."""
POST_SECONDS = 9 * DAY_SECONDS
"""The view keeps a post's version longer than Kafka keeps its events: 7 days, and the day of a segment."""

OFFSET = "feed:offset"
"""The next offset to apply, written in the same step as the effects before it. See `offset_of`."""
EPOCH = "feed:epoch"
"""Who owns partition 0: generation of the group and id of its member, as `12:feed-projector-…`."""
GENERATION = "feed:generation"
"""An id of the whole view: a rebuilt view has another one, by which writers notice the switch."""
REBUILD_OFFSET = "feed:made-at"
"""End of the topic at the last rebuild: the view depends on the records from this offset on."""
REBUILD = "feed:rebuild"
"""The process that rebuilds the view now; the key expires when that process dies."""
REBUILD_DATABASE = 1
"""Number of the Redis database in which a rebuild builds the new view; readers use database 0."""
COUNTERS = "feed:counters"
"""Hash: applied, stale, skipped, dead."""
PROJECTOR = "feed:projector"
"""The projector's heartbeat; the key expires when the projector stops renewing it."""


def of_user(user_id: int | str) -> str:
    """Return the key of the list of one user's entries."""
    return f"feed:activity:user:{user_id}"


def of_post(post_id: str) -> str:
    """Return the key of the hash with the version and the entry of one post."""
    return f"feed:post:{post_id}"


def offset_of(partition: int) -> str:
    """Return the key of the next offset to apply in a partition of the topic."""
    return f"{OFFSET}:{partition}" if partition else OFFSET


def rebuild_offset_of(partition: int) -> str:
    """Return the key of the end of a partition at the last rebuild."""
    return f"{REBUILD_OFFSET}:{partition}" if partition else REBUILD_OFFSET


def epoch_of(partition: int) -> str:
    """Return the key of the epoch of the projector that owns a partition."""
    return f"{EPOCH}:{partition}" if partition else EPOCH
