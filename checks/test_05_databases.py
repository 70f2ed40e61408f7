"""Lab 05: accounts, profiles and posts under concurrent requests, and what the databases report.

Its checks, in the order in which they run.
"""

from lab05_databases.users import (
    test_parallel_registrations,
    test_empty_database,
    test_full_database,
    test_roles_are_apart,
)
from lab05_databases.logins import (
    test_login_by_the_whole_address,
    test_hostile_words_at_login,
)
from lab05_databases.table import test_table_step_by_step
from lab05_databases.accounts import test_accounts_step_by_step
from lab05_databases.refusals import (
    test_taken_field_is_named,
    test_refusals_keep_no_connection,
    test_accounts_without_database,
)
from lab05_databases.profiles import (
    test_first_profile_once,
    test_profile_changes_at_once,
    test_each_value_is_written,
    test_profile_words,
    test_profile_deleted_once,
    test_profile_refusals_keep_no_connection,
    test_profile_without_database,
)
from lab05_databases.collection import (
    test_empty_collection,
    test_posts_without_database,
    test_change_without_database,
)
from lab05_databases.posts import test_post_words
from lab05_databases.indexes import built_anew  # a fixture, which pytest looks for in this file
from lab05_databases.indexes import (
    test_posts_of_an_author_by_index,
    test_waiting_posts_by_index,
)
from lab05_databases.expiry import (
    test_expired_posts_are_deleted,
    test_gone_posts_are_hidden,
    test_gone_posts_are_not_changed,
)
from lab05_databases.posts import (
    test_post_changes_at_once,
    test_pages_while_posts_are_added,
)
from lab05_databases.interference import test_change_step_by_step
from lab05_databases.updating import test_update_step_by_step
from lab05_databases.connections import (
    test_connections_are_kept,
    test_cut_connections_heal,
)
