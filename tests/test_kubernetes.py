"""The example environment and the controller's values, against the Kubernetes schemas."""

import re
from typing import Any

import kubernetes_validate
import pytest
import yaml

from local_edge.template import load_template
from tests.support import ROOT

FOLDER = ROOT / "kubernetes"
MANIFESTS: list[dict[str, Any]] = list(yaml.safe_load_all((FOLDER / "environment.yaml").read_text()))
VERSION = yaml.safe_load(re.sub(r"!\w+", "", (ROOT / "cluster.yaml").read_text()))["Parameters"]["KubernetesVersion"][
    "Default"
]
CLUSTER = load_template(stack="cluster", bucket="", path=ROOT / "cluster.yaml")


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda found: f"{found['kind']}-{found['metadata']['name']}")
def test_a_manifest_is_valid_for_the_clusters_version(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, VERSION, strict=True)


def test_everything_lives_in_the_environments_namespace() -> None:
    namespace, *rest = MANIFESTS
    assert namespace["kind"] == "Namespace"
    assert {manifest["metadata"]["namespace"] for manifest in rest} == {namespace["metadata"]["name"]}


def test_ports_and_selectors_lead_from_the_ingress_to_the_backend() -> None:
    found = {(manifest["kind"], manifest["metadata"]["name"]): manifest["spec"] for manifest in MANIFESTS[1:]}
    (rule,) = found["Ingress", "frontend"]["rules"]
    target = rule["http"]["paths"][0]["backend"]["service"]
    for service, port in ((target["name"], target["port"]["number"]), ("backend", 3000)):
        spec = found["Service", service]
        assert [one["port"] for one in spec["ports"]] == [port]
        pods = found["Deployment", service]["template"]
        assert pods["metadata"]["labels"] == spec["selector"]
        (container,) = pods["spec"]["containers"]
        assert container["ports"] == [{"name": spec["ports"][0]["targetPort"], "containerPort": port}]
        policies = [one for (kind, _), one in found.items() if kind == "NetworkPolicy" and "ingress" in one]
        (policy,) = (one for one in policies if one["podSelector"]["matchLabels"] == spec["selector"])
        assert policy["ingress"][0]["ports"] == [{"port": port}]
    (container,) = found["Deployment", "frontend"]["template"]["spec"]["containers"]
    assert container["env"] == [{"name": "BACKEND_URL", "value": "http://backend:3000"}]


def test_the_target_group_is_filled_with_what_the_values_install() -> None:
    binding = yaml.safe_load((FOLDER / "target-group-binding.yaml").read_text())
    values = yaml.safe_load((FOLDER / "ingress-controller-values.yaml").read_text())["controller"]
    cluster = (ROOT / "cluster.yaml").read_text()
    # The chart calls its service <release>-controller; docs/deploy.md installs the release nginx-ingress.
    assert binding["spec"]["serviceRef"] == {"name": "nginx-ingress-controller", "port": 443}
    assert binding["spec"]["targetType"] == "ip"
    assert values["service"]["type"] == "ClusterIP"
    assert values["service"].get("httpsPort", {"enable": True})["enable"]
    assert f'HealthCheckPort: "{values["readyStatus"]["port"]}"' in cluster
    assert "HealthCheckPath: /nginx-ready" in cluster


def test_the_load_balancer_and_the_controller_speak_tls_on_443() -> None:
    """The controller says its own port and scheme to applications; nothing in its ConfigMap says another."""
    values = yaml.safe_load((FOLDER / "ingress-controller-values.yaml").read_text())["controller"]
    # Without SNI nginx shows the default server's certificate.
    assert values["defaultTLS"]["secret"] == values["wildcardTLS"]["secret"]
    assert (CLUSTER.properties("IngressTargetGroup")["Protocol"], CLUSTER.properties("IngressTargetGroup")["Port"]) == (
        "HTTPS",
        443,
    )
    for manifest in MANIFESTS:
        if manifest["kind"] == "Ingress":
            hosts = [rule["host"] for rule in manifest["spec"]["rules"]]
            assert manifest["spec"]["tls"] == [{"hosts": hosts}]
    admitted = CLUSTER.properties("LoadBalancerSecurityGroup")["SecurityGroupEgress"]
    assert {(rule["FromPort"], rule["ToPort"]) for rule in admitted} == {(443, 443), (8081, 8081)}
    assert CLUSTER.properties("LoadBalancerToNodes")["FromPort"] == 443


def test_a_viewers_address_is_believed_from_the_network_of_the_load_balancer() -> None:
    values = yaml.safe_load((FOLDER / "ingress-controller-values.yaml").read_text())["controller"]
    assert values["config"]["entries"]["set-real-ip-from"] == CLUSTER.properties("Vpc")["CidrBlock"]
