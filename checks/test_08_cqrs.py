"""Lab 08: the read side: the cost of a read, its lag, its rebuild, and its comparison with the posts.

Its checks, in the order in which they run.
"""

from lab08_cqrs.reads import (
    test_one_command_per_read,
    test_reads_without_the_write_side,
    test_pages_and_bounds,
)
from lab08_cqrs.lag import test_lag
from lab08_cqrs.lag_edges import test_lag_at_the_edges
from lab08_cqrs.reading import test_page_step_by_step
from lab08_cqrs.lagging import test_lag_step_by_step
from lab08_cqrs.script import test_switch_script
from lab08_cqrs.rebuild import (
    test_rebuild_under_way,
    test_rebuild_and_what_happens_meanwhile,
    test_rebuild_without_old_records,
)
from lab08_cqrs.switching import (
    test_switch_is_never_behind,
    test_one_rebuild_at_a_time,
)
from lab08_cqrs.rebuilding import test_rebuild_step_by_step
from lab08_cqrs.comparing import test_comparison_at_the_edges
from lab08_cqrs.verify import test_verify_finds_what_is_planted
