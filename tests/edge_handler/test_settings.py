import pytest

from edge_handler.settings import load_settings, nearest_first, table_name


@pytest.mark.parametrize(
    "name", ["acme-viewer-request", "us-east-1.acme-viewer-request", "us-east-1.acme-origin-request"]
)
def test_the_table_follows_from_the_functions_name(name: str) -> None:
    assert table_name(name) == "acme-routes"


def test_without_a_name_of_ours_it_is_the_default_stacks() -> None:
    assert table_name("ViewerRequestFunction") == "edge-routing-routes"


def test_the_nearest_replica_comes_first() -> None:
    regions = ["us-east-1", "ap-southeast-2", "eu-west-1", "eu-central-1"]
    assert nearest_first("eu-central-1", regions)[:2] == ("eu-central-1", "eu-west-1")
    assert nearest_first("sa-east-1", regions) == tuple(regions)


def test_the_environment_overrides_the_file_locally() -> None:
    environ = {"EDGE_TABLE": "t", "EDGE_REPLICA_REGIONS": "eu-west-1,us-east-1", "EDGE_FRESH_SECONDS": "1"}
    settings = load_settings(environ)
    assert (settings.table, settings.regions, settings.fresh_seconds) == ("t", ("us-east-1", "eu-west-1"), 1)


def test_inside_sams_container_the_embedded_aws_is_the_hosts() -> None:
    assert load_settings({"AWS_SAM_LOCAL": "true"}).endpoint == "http://host.docker.internal:4566"
    assert load_settings({}).endpoint is None
