"""Lab 01: what the profile service answers, through the gateway and at its own address.

Its checks, in the order in which they run.
"""

from lab01_services.profiles import (
    test_created_with_location,
    test_second_profile_is_a_conflict,
    test_read_of_nothing_is_404,
    test_missing_profile_is_404,
    test_put_leaves_the_rest,
    test_put_at_the_edges,
    test_delete,
)
from lab01_services.owners import test_own_profile_only, test_read_is_current
from lab01_services.mistakes import (
    test_unknown_fields_are_refused,
    test_bad_field_is_named,
    test_nothing_is_a_500,
)
from lab01_services.values import test_dates_at_the_edges, test_texts_come_back_as_sent
from lab01_services.contract import test_openapi_tells_every_answer
from lab01_services.readiness import (
    test_alive_without_database,
    test_ready_without_database,
)
from lab01_services.ready_alone import test_ready_step_by_step
from lab01_services.waiting import (
    test_ready_holds_up_nobody,
    test_create_and_read_hold_up_nobody,
    test_update_and_delete_hold_up_nobody,
    test_unreachable_is_not_missing,
    test_unreachable_is_not_changed,
)
