"""The schemas for kubeconform, made from what the API server says about its own kinds."""

import json
from pathlib import Path
from typing import Any

LOCATION = "{{ .ResourceKind }}{{ .KindSuffix }}.json"
ONE_KIND = "x-kubernetes-group-version-kind"
LOOSE = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
}


def write(openapi: str, folder: Path) -> int:
    """Write one schema for each kind, in which an unknown field is an error; return how many."""
    definitions: dict[str, Any] = json.loads(openapi)["definitions"] | LOOSE
    count = 0
    for name, definition in definitions.items():
        if "properties" in definition and "additionalProperties" not in definition:
            definition["additionalProperties"] = False
        kinds = definition.get(ONE_KIND, [])
        for kind in kinds:
            group = f"-{kind['group'].partition('.')[0]}" if kind["group"] else ""
            file = folder / f"{kind['kind'].lower()}{group}-{kind['version']}.json"
            file.write_text(json.dumps({"$ref": f"_definitions.json#/definitions/{name}"}))
            count += 1
    (folder / "_definitions.json").write_text(json.dumps({"definitions": definitions}))
    return count
