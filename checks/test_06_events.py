"""Lab 06: the events on the topic after each change, and after each kind of fault.

Its checks, in the order in which they run.
"""

from lab06_events.changes import (
    test_one_event_for_each_change,
    test_nothing_stays_behind,
    test_trace_goes_on,
    test_refused_changes_say_nothing,
)
from lab06_events.outbox import (
    test_outbox_keeps_every_change,
    test_full_outbox,
)
from lab06_events.told import test_event_step_by_step
from lab06_events.written import test_what_is_written
from lab06_events.marking import (
    test_one_head_per_post,
    test_marking_while_the_post_changes,
)
from lab06_events.parking import test_parked_events_are_kept
from lab06_events.draining import (
    test_relay_under_steady_writes,
    test_relay_while_kafka_refuses,
    test_relay_without_its_lease,
)
from lab06_events.publishing import (
    test_publish_step_by_step,
    test_drain_step_by_step,
)
from lab06_events.outages import (
    test_kafka_is_away,
    test_kafka_refuses_for_a_while,
    test_trouble_with_mongodb,
)
from lab06_events.relays import (
    test_killed_between_publishing_and_marking,
    test_killed_ten_times,
    test_one_relay_at_a_time,
)
from lab06_events.poison import test_poison_holds_up_nobody
from lab06_events.versions import test_old_version_is_understood
