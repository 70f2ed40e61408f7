"""Lab 04: passwords, tokens, keys, and the answer to the gateway.

Its checks, in the order in which they run.
"""

from lab04_auth.passwords import test_password_hashes
from lab04_auth.hashing import test_hashing_leaves_the_event_loop_free
from lab04_auth.tokens import test_token_says_what_it_must
from lab04_auth.issuing import (
    test_token_from_what_issue_is_given,
    test_verify_at_the_edges,
)
from lab04_auth.keys import test_jwks_is_usable
from lab04_auth.ring import test_keys_are_those_of_the_table
from lab04_auth.remembering import test_only_good_tokens_are_remembered
from lab04_auth.forgeries import (
    test_forged_token_is_refused,
    test_unknown_keys_cost_nothing,
)
from lab04_auth.tokens import (
    test_token_in_the_wrong_place,
    test_gateway_learns_the_user,
)
from lab04_auth.passwords import test_unknown_user_and_wrong_password_look_the_same
from lab04_auth.keys import test_rotation
