"""Lab 03: what the gateway lets through to posts, and how its rules come to stand in Consul KV.

Its checks, in the order in which they run.
"""

from lab03_gateway.table import test_keys_are_those_of_the_tables
from lab03_gateway.identity import (
    test_writes_need_a_token,
    test_forged_identity_never_arrives,
    test_every_route_is_cleaned,
)
from lab03_gateway.asked_auth import test_auth_is_asked_for_the_user_only
from lab03_gateway.paths import (
    test_neighbours_are_not_caught,
    test_routes_lead_where_they_say,
)
from lab03_gateway.rules import test_broken_rules_are_refused
from lab03_gateway.publishing import test_one_transaction, test_stale_keys_go
from lab03_gateway.limits import test_publish_minds_its_limits
from lab03_gateway.load import (
    test_limit_where_it_belongs,
    test_two_instances_share_and_one_may_die,
)
