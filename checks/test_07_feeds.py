"""Lab 07: what the projector makes of events that the checks put on the topic.

Its checks, in the order in which they run.
"""

from collections.abc import Iterator

import pytest
from grading.events import take_back

from lab07_feeds.entries import (
    test_entry_tells_everything,
    test_newest_first_by_event_time,
    test_times_can_be_compared,
)
from lab07_feeds.lists import test_lengths
from lab07_feeds.entries import (
    test_duplicate_and_late_events,
    test_versions_are_numbers,
    test_removal_comes_first,
    test_update_and_delete,
)
from lab07_feeds.lists import test_lists_expire
from lab07_feeds.forgetting import (
    test_forgotten_post,
    test_redis_forgets_scripts,
)
from lab07_feeds.lists import test_lists_do_not_mix
from lab07_feeds.entry import test_entry_step_by_step
from lab07_feeds.scripted import test_script_step_by_step
from lab07_feeds.letters import test_letters_step_by_step
from lab07_feeds.batches import (
    test_batch_step_by_step,
    test_searches_when_needed,
)
from lab07_feeds.dead_letters import (
    test_poison_and_unknown_events,
    test_redrive,
)
from lab07_feeds.burying import (
    test_poison_of_every_kind,
    test_dead_letter_before_the_offset,
    test_one_letter_for_each_record,
    test_offset_is_committed,
)
from lab07_feeds.catching_up import (
    test_counters,
    test_backlog,
    test_killed_ten_times,
)


@pytest.fixture(autouse=True)
def tidy(gradable: None) -> Iterator[None]:
    """The posts of these checks are in no database: they leave the view as well."""
    yield
    take_back()
