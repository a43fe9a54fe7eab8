"""The example environment and the controller's values, against the Kubernetes schemas."""

import re
from typing import Any

import kubernetes_validate
import pytest
import yaml

from local_edge.template import load_template
from local_edge.websocket import IDLE_SECONDS
from tests.support import ROOT

FOLDER = ROOT / "kubernetes"
VALUES: dict[str, Any] = yaml.safe_load((FOLDER / "ingress-controller-values.yaml").read_text())["controller"]
MANIFESTS: list[dict[str, Any]] = list(yaml.safe_load_all((FOLDER / "environment.yaml").read_text()))
VERSION = yaml.safe_load(re.sub(r"!\w+", "", (ROOT / "cluster.yaml").read_text()))["Parameters"]["KubernetesVersion"][
    "Default"
]
CLUSTER = load_template(stack="cluster", bucket="", path=ROOT / "cluster.yaml")


NAMESPACE = yaml.safe_load((FOLDER / "ingress-namespace.yaml").read_text())
DEPLOYMENTS = [manifest for manifest in MANIFESTS if manifest["kind"] == "Deployment"]
LONGEST_REQUEST = 30
"""Seconds that CloudFront waits for an answer, see edge_handler.origin_request."""
TIME_TO_HEAR = 10
"""Seconds until whoever asks a pod has heard that it ends."""


@pytest.mark.parametrize(
    "manifest", [*MANIFESTS, NAMESPACE], ids=lambda found: f"{found['kind']}-{found['metadata']['name']}"
)
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
    cluster = (ROOT / "cluster.yaml").read_text()
    # The chart calls its service <release>-controller; docs/deploy.md installs the release nginx-ingress.
    assert binding["spec"]["serviceRef"] == {"name": "nginx-ingress-controller", "port": 443}
    assert binding["spec"]["targetType"] == "ip"
    assert VALUES["service"]["type"] == "ClusterIP"
    assert VALUES["service"].get("httpsPort", {"enable": True})["enable"]
    assert f'HealthCheckPort: "{VALUES["readyStatus"]["port"]}"' in cluster
    assert "HealthCheckPath: /nginx-ready" in cluster


def test_the_load_balancer_and_the_controller_speak_tls_on_443() -> None:
    """The controller says its own port and scheme to applications; nothing in its ConfigMap says another."""
    # Without SNI nginx shows the default server's certificate.
    assert VALUES["defaultTLS"]["secret"] == VALUES["wildcardTLS"]["secret"]
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
    assert VALUES["config"]["entries"]["set-real-ip-from"] == CLUSTER.properties("Vpc")["CidrBlock"]


def attribute(resource: str, kind: str, key: str) -> str:
    """Return the value of an attribute of the load balancer or its target group."""
    (found,) = (one["Value"] for one in CLUSTER.properties(resource)[kind] if one["Key"] == key)
    return str(found)


def test_what_the_values_say_of_the_controllers_pods_is_valid() -> None:
    container = {"name": "nginx-ingress", "image": "nginx", "lifecycle": VALUES["lifecycle"]}
    spec = {
        "terminationGracePeriodSeconds": VALUES["terminationGracePeriodSeconds"],
        "topologySpreadConstraints": VALUES["topologySpreadConstraints"],
        "containers": [container],
    }
    labels = {"app.kubernetes.io/name": "nginx-ingress"}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "nginx-ingress-controller"},
        "spec": {
            "replicas": VALUES["replicaCount"],
            "strategy": VALUES["strategy"],
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }
    kubernetes_validate.validate(deployment, VERSION, strict=True)


def test_the_controllers_pods_are_asked_until_the_load_balancer_lets_go_and_then_finish() -> None:
    delay = int(attribute("IngressTargetGroup", "TargetGroupAttributes", "deregistration_delay.timeout_seconds"))
    sleep = VALUES["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert delay >= LONGEST_REQUEST
    assert sleep >= delay + TIME_TO_HEAR
    assert VALUES["terminationGracePeriodSeconds"] >= sleep + LONGEST_REQUEST


def test_a_rollout_waits_for_the_load_balancer_and_takes_no_pod_before_another_is_ready() -> None:
    assert NAMESPACE["metadata"]["labels"]["elbv2.k8s.aws/pod-readiness-gate-inject"] == "enabled"
    binding = yaml.safe_load((FOLDER / "target-group-binding.yaml").read_text())
    assert binding["metadata"]["namespace"] == NAMESPACE["metadata"]["name"]
    assert VALUES["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert VALUES["podDisruptionBudget"] == {"enabled": True, "minAvailable": VALUES["replicaCount"] - 1}


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda found: found["metadata"]["name"])
def test_an_environments_pods_outlive_rollouts_and_drains(deployment: dict[str, Any]) -> None:
    spec = deployment["spec"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    sleep = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert sleep >= TIME_TO_HEAR
    assert pod["terminationGracePeriodSeconds"] >= sleep + LONGEST_REQUEST
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    (budget,) = (
        one["spec"]
        for one in MANIFESTS
        if one["kind"] == "PodDisruptionBudget" and one["spec"]["selector"] == spec["selector"]
    )
    assert 0 < budget["minAvailable"] < spec["replicas"]


def test_whoever_is_asked_keeps_a_connection_longer_than_whoever_asks() -> None:
    idle = int(attribute("LoadBalancer", "LoadBalancerAttributes", "idle_timeout.timeout_seconds"))
    entries = VALUES["config"]["entries"]
    assert int(entries["keepalive-timeout"].removesuffix("s")) > idle
    # A WebSocket may be silent as long as CloudFront lets it.
    assert int(entries["proxy-read-timeout"].removesuffix("s")) == idle == IDLE_SECONDS
