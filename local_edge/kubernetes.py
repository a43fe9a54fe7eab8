"""What of `kubernetes/` runs on a laptop: the example environment's Ingress, and the controller's configuration."""

from pathlib import Path

import yaml

FOLDER = Path(__file__).parent.parent / "kubernetes"


def ingress_rules(path: Path = FOLDER / "environment.yaml") -> dict[str, tuple[str, int]]:
    """Return which service and port the Ingresses of a file send each host to."""
    found = {}
    for manifest in yaml.safe_load_all(path.read_text(encoding="utf-8")):
        if manifest["kind"] == "Ingress":
            for rule in manifest["spec"]["rules"]:
                (only,) = rule["http"]["paths"]
                service = only["backend"]["service"]
                found[rule["host"]] = (service["name"], service["port"]["number"])
    return found


def controller_entries(path: Path = FOLDER / "ingress-controller-values.yaml") -> dict[str, str]:
    """Return the entries of the ingress controller's ConfigMap."""
    entries: dict[str, str] = yaml.safe_load(path.read_text(encoding="utf-8"))["controller"]["config"]["entries"]
    return entries
