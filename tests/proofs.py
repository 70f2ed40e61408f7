"""The test that proves each shown command, or the reason why there is none.

The longest beginning that fits a command counts. A test that is named here runs the command, or what the
command does. All others are run as they stand by tests/live/test_commands_as_shown.py, whatever their
program, but for those of ./lab that change something: these must be named here.
"""

import re

from shown import Shown

WAY = "tests/course/test_lab_commands.py::test_a_learners_way"
PLAYED = "tests/notebooks/test_reproduce.py::test_notebook"
BUNDLED = "tests/compose/test_elsewhere.py::test_classroom_needs_the_network_once"
COMPOSED = "tests/compose/test_on_compose.py::test_comes_up_as_it_is"
RENEWED = "tests/unit/test_notebook_copies.py::test_reset_gives_a_fresh_copy_and_keeps_the_old_one"
SPOKEN = "tests/live/test_view_tools.py::test_commands_speak_to_people"
JUDGED = "tests/classroom/test_judging.py::test_thirty_files_are_judged_or_refused_with_a_reason"
BROKEN = "tests/live/test_break.py::test_kill_and_restart_and_amnesia"

CLASS = "tests/unit/test_class_commands.py::test_a_class_by_its_commands"
APART = "tests/live/test_two_systems.py::test_neither_sees_the_other"

TRACED = "tests/observability/test_one_trace.py::test_one_post_is_one_trace_with_every_edge"

PROVEN = {
    "./lab up --with observability": TRACED, "LAB_TRACE_RATIO=": TRACED, "./lab trace": TRACED,
    "./lab slo": "tests/observability/test_objectives_live.py::test_the_budget_is_shown",
    "cd labs/09-observability && python3 -B -c":
        "tests/unit/test_objectives.py::test_a_learner_can_print_a_query",
    "python -m lab.slo.rules": "tests/unit/test_objectives.py::test_the_file_for_vmalert_holds_the_rules",
    "LAB_BACKEND=kubernetes ./lab up":
        "tests/kubernetes/test_on_kubernetes.py::test_up_was_complete_and_says_where",
    "./lab up --as": APART, "./lab down --as": APART,
    "./lab": "tests/live/test_commands.py::test_second_up_does_nothing",
    "./lab up": "tests/live/test_commands.py::test_second_up_does_nothing",
    "./lab down": "tests/live/test_commands.py::test_data_survives_down_and_up",
    "./lab restart": "tests/live/test_commands.py::test_restart",
    "./lab reset": "tests/live/test_commands.py::test_reset_asks_first",
    "./lab reset NN": WAY, "./lab start": WAY, "./lab stop": WAY, "./lab check": WAY, "./lab hint": WAY,
    "./lab solution": WAY,
    "./lab check 01 --watch": "tests/course/test_lab_commands.py::test_watch_answers_each_save",
    "./lab verify": "tests/live/test_view_tools.py::test_verify_finds_what_is_wrong_and_rebuild_mends_it",
    "./lab rebuild": "tests/live/test_view_tools.py::test_verify_finds_what_is_wrong_and_rebuild_mends_it",
    "./lab redrive": "tests/live/test_redrive.py::test_redrive_after_the_fix",
    "./lab lag": SPOKEN, "./lab costs": SPOKEN,
    "./lab partitions": "tests/partitions/test_growth.py::test_every_event_is_on_the_topic_in_order",
    "LAB_PARTITIONS=": "tests/unit/test_user_settings.py::test_the_number_of_partitions_reaches_the_topic",
    "./lab break": "tests/live/test_break.py::test_fault_is_seen_and_ends_by_itself",
    "./lab break kill": BROKEN,
    "./lab heal": "tests/live/test_break.py::test_heal_ends_what_a_killed_guardian_left",
    "./lab storm": "tests/live/test_storm.py::test_nothing_is_lost_in_a_storm",
    "./lab notebook": "tests/notebooks/test_browser.py::test_launcher_shows_the_course_and_the_stack",
    "./lab site": "tests/unit/test_site.py::test_the_whole_course_has_no_broken_link",
    "./lab reset NN --notebook": RENEWED, "./lab reset 07 --notebook": RENEWED,
    "./lab secrets": COMPOSED, "./lab bundle": BUNDLED, "./lab unbundle": BUNDLED, "tar xf": BUNDLED,
    "./lab submit": "tests/unit/test_submission_archive.py::test_submit_writes_an_archive_that_is_read_back",
    "lab submit": "tests/unit/test_submission_archive.py::test_submit_writes_an_archive_that_is_read_back",
    "CORS_ORIGINS=": "tests/live/test_cors.py::test_pages_of_other_origins",
    "./lab class check": JUDGED,
    "%lab": PLAYED,
    "lab notebook": "tests/compose/test_on_compose.py::test_jupyterlab_has_the_course_in_it",
    "docker compose down --volumes && rm .env":
        "tests/compose/test_on_compose.py::test_reset_deletes_the_volumes",
    "lab start": "tests/compose/test_on_compose.py::test_a_lab_in_jupyterlab",
    "for name in GATEWAY_SECRET": COMPOSED, "grep -qs ^LAB_UID=": COMPOSED,
    "chmod 600 .env && docker compose up": COMPOSED,
    "docker compose -f docker-compose.yml -f compose.dev.yaml":
        "tests/compose/test_on_compose.py::test_config_is_clean",
    ".venv/bin/python -m lab.notebook.sources":
        "tests/unit/test_notebook_sources.py::test_in_step_and_executed",
    "./lab class listen": CLASS, "./lab class overview": CLASS, "./lab class join": CLASS,
    "./lab class sent": CLASS, "./lab class leave": CLASS,
    "./lab class slides": "tests/unit/test_slides.py::test_decks_need_nothing_from_outside",
    "./lab doctor --class":
        "tests/unit/test_class_room.py::test_a_room_that_is_too_small_is_told_what_it_needs",
    "python -m civildiy <unit>": "tests/live/test_commands.py::test_status",
}  # fmt: skip

EXEMPT = {
    "./lab bench": "measures for minutes; a person reads its figures",
    "git clone REPOSITORY": "a person puts the repository's address in its place",
    "/usr/bin/time": "measures a cold start; not every machine has GNU time",
    "./lab soak": "twenty minutes of load; a person starts it and reads its figures",
    "./lab test": "is what runs all of this; .ci/run calls it",
    ".venv/bin/pytest checks/": "./lab test runs them all, but for those that stop parts, which .ci/run runs",
    "%lab hint": "said beside a cell that learners write; the same as ./lab hint",
    "docker compose exec mongodb mongosh": "a shell of the official image, for a person who types into it",
    "docker info": "needs an engine; tests/unit/test_engine.py reads its recorded answers",
    "docker version": "needs an engine; tests/unit/test_engine.py reads its recorded answers",
    "mkdir -p ~/.cache/civildiy-lab": "writes into the user's own home",
    "docker compose build auth": "needs an engine; the campaign in tests/kubernetes runs it",
    "docker save civildiy-lab:local": "needs an engine and k3s",
    "docker compose up": "needs an engine; the campaign in tests/compose runs it",
    "ssh -L": "a person puts the addresses of their own server in its place",
    "systemctl --user start podman.socket": "starts a service of the user's own machine",
    "sudo apt-get install": "installs a package of the user's own machine",
    "LAB_HOME=/srv/lab ./lab": "the same as ./lab up and ./lab down in a folder that a test may not write",
    "unzip -o FILE": "a person puts the name of their own archive in the place of FILE",
    "sudo sysctl net.ipv4.ip_unprivileged_port_start": "changes the kernel's settings",
    "export DOCKER_HOST=": "names the socket of an engine that a test may not have",
    "python -m venv": "names a step of ./lab, which every ./lab runs",
    "python -m lab.install": "names a step of ./lab up, which every first ./lab up runs",
    "python -m lab.course.demands": "tests/unit/test_demands.py compares what it writes",
    "git pull": "changes the checkout",
    "git update-index --skip-worktree": "an alternative that was refused",
    "LAB_BACKEND=native ./lab up": "the same as ./lab up where no engine answers",
    "for n = 3, #KEYS": "a line of Lua, not of a shell",
    "kill -9": "the name of what happens, not a line to type",
}

LOOKING = ("status", "endpoints", "list", "doctor", "demo", "task", "report", "logs")
"""Commands of ./lab that change nothing; a test runs them unchanged."""
CHECKS = re.compile(r"\.venv/bin/pytest (checks/test_\w+\.py) -k (\w+)")
"""Some of the checks, all of which ./lab test and .ci/run run: there must be such a file, and such checks."""


class Unknown(Exception):
    """Raised for a shown command that this file does not mention."""


def proof(command: Shown) -> str:
    """Return the test that proves the command, or the reason why there is none. Raises Unknown."""
    text = " ".join(command.text.split())
    said = PROVEN | EXEMPT
    fitting = [start for start in said if text.startswith(start) and (start != "./lab" or text == start)]
    if not fitting:
        raise Unknown(
            f"{command.file} shows `{text}`: let a test run it, name its test, or give a reason for none"
        )
    return said[max(fitting, key=len)]


def is_run(command: Shown) -> bool:
    """Return whether tests/live/test_commands_as_shown.py runs the command unchanged."""
    if CHECKS.fullmatch(command.text):
        return False
    if command.text.startswith("./lab"):
        looking = command.words[:1] in [[name] for name in LOOKING]
        # What a room lacks depends on the room, and the command ends with 1 then.
        return not command.is_lab or (looking and "--class" not in command.words)
    try:
        return not proof(command)
    except Unknown:
        # Whatever its program: a command that nobody has said anything about has to work.
        return True
