"""Lab 04: passwords, tokens, keys, and the answer to the gateway.

Its checks, in the order in which they run.
"""

from lab04_auth.passwords import test_password_hashes
from lab04_auth.tokens import test_token_says_what_it_must
from lab04_auth.keys import test_jwks_is_usable
from lab04_auth.forgeries import test_forged_token_is_refused
from lab04_auth.tokens import (
    test_token_in_the_wrong_place,
    test_gateway_learns_the_user,
)
from lab04_auth.passwords import test_unknown_user_and_wrong_password_look_the_same
from lab04_auth.keys import test_rotation
