"""Lab 09: metrics, spans, contexts, sampling, an objective with its alert, and a fault to find.

Its checks, in the order in which they run.
"""

from lab09_observability.counting import test_each_end_is_counted, test_labels_are_bounded
from lab09_observability.timing import test_durations_in_seconds, test_requests_of_posts_are_counted
from lab09_observability.calls import test_no_span_outside_of_a_trace, test_span_of_a_call
from lab09_observability.ending import test_span_ends_with_its_block
from lab09_observability.carrying import (
    test_context_as_a_text,
    test_context_in_an_event,
    test_continued_trace,
)
from lab09_observability.lines import test_ids_in_each_log_line
from lab09_observability.trees import test_one_tree_after_an_outage, test_store_call_in_the_trace_of_a_post
from lab09_observability.sampled import test_decision_holds_in_all_units, test_parent_decides
from lab09_observability.exported import (
    test_no_request_waits_for_the_collector,
    test_the_end_waits_a_moment_only,
)
from lab09_observability.shares import (
    test_share_of_bad_reads,
    test_share_of_failed_requests,
    test_shares_at_the_edges,
)
from lab09_observability.alerts import test_alert_as_a_rule, test_alert_needs_both_windows
from lab09_observability.outages import test_alert_begins_and_ends_with_the_outage
from lab09_observability.hidden import test_fault_is_found
