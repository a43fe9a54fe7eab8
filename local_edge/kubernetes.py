"""What of `kubernetes/` and `cluster.yaml` runs on a laptop: Ingresses, and how their controller is set up."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from local_edge.template import load_template

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "kubernetes"


@dataclass(frozen=True, slots=True)
class IngressRule:
    """What an Ingress says of a host."""

    service: str
    port: int
    tls: bool
    """Whether the controller is asked over TLS."""
    websocket: bool
    """Whether the controller passes upgrades on."""


def ingress_rules(path: Path = FOLDER / "environment.yaml") -> dict[str, IngressRule]:
    """Return what the Ingresses of a file say, by host."""
    found = {}
    for manifest in yaml.safe_load_all(path.read_text(encoding="utf-8")):
        if manifest["kind"] == "Ingress":
            spec = manifest["spec"]
            annotations = manifest["metadata"].get("annotations", {})
            upgraded = annotations.get("nginx.org/websocket-services", "").split(",")
            over_tls = {host for entry in spec.get("tls", ()) for host in entry["hosts"]}
            for rule in spec["rules"]:
                (only,) = rule["http"]["paths"]
                service = only["backend"]["service"]
                found[rule["host"]] = IngressRule(
                    service["name"], service["port"]["number"], rule["host"] in over_tls, service["name"] in upgraded
                )
    return found


def controller_entries(path: Path = FOLDER / "ingress-controller-values.yaml") -> dict[str, str]:
    """Return the entries of the ingress controller's ConfigMap."""
    entries: dict[str, str] = yaml.safe_load(path.read_text(encoding="utf-8"))["controller"]["config"]["entries"]
    return entries


def load_balancer_attributes(path: Path = ROOT / "cluster.yaml") -> dict[str, str]:
    """Return what the load balancer is told to do."""
    properties = load_template(stack="cluster", bucket="", path=path).properties("LoadBalancer")
    return {attribute["Key"]: attribute["Value"] for attribute in properties["LoadBalancerAttributes"]}
