"""Lab 02: what stands in the catalog, and when.

Its checks, in the order in which they run.
"""

from lab02_discovery.registration import test_registered_with_a_check
from lab02_discovery.instances import (
    test_frozen_instance_is_critical,
    test_no_ghosts_after_five_kills,
    test_leaves_on_sigterm,
    test_only_this_instance_leaves,
    test_second_instance_gets_traffic,
)
from lab02_discovery.turns import test_each_turn
from lab02_discovery.staying import (
    test_stays_registered,
    test_comes_back_after_consul_lost_everything,
)
from lab02_discovery.lookup import test_lookup
from lab02_discovery.watching import test_watch
from lab02_discovery.watch_edges import test_watch_at_the_edges
from lab02_discovery.watch_answers import test_watch_step_by_step
