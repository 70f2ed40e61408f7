"""Text that a store could take for something else."""

import json

from grading.outcome import require
from grading.people import Person, said

HOSTILE = {
    "SQL": "'; DROP TABLE users;--",
    "an operator": '{"$gt": ""}',
    "a variable": "$title ${jndi} %s %(x)s :name {0} \\' \\",
    "signs": "\U0001f469\u200d\U0001f680 e\u0301 \u202eabc \u0645\u0631\u062d\u0628\u0627 \ufeff",
}


def nul_is_refused(person: Person, method: str, path: str, field: str) -> None:
    answer = person.http.request(method, path, json={"title": "t", field: "a\0b"})
    named = field in json.dumps(answer.json().get("errors")) if answer.status_code == 422 else False
    require(
        named,
        f"{method} {path} with the character NUL in {field}",
        expected=f"422 that names {field}",
        saw=said(answer),
        means="PostgreSQL cannot store the character NUL. The service has to refuse it before the write;"
        " otherwise the client gets 500.",
    )
