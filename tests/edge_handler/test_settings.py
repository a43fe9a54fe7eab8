import re

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


def test_the_history_follows_from_the_table() -> None:
    settings = load_settings({"AWS_LAMBDA_FUNCTION_NAME": "us-east-1.acme-viewer-request"})
    assert (settings.table, settings.history_table) == ("acme-routes", "acme-route-history")


def test_without_buckets_there_is_no_snapshot() -> None:
    assert load_settings({}).snapshot_buckets == ()


@pytest.mark.parametrize(
    ("here", "regions"),
    [
        ("us-east-1", ["us-east-1", "ap-south-1", "eu-west-1"]),
        ("eu-central-1", ["eu-west-1", "ap-south-1", "us-east-1"]),
        ("sa-east-1", ["ap-south-1", "us-east-1", "eu-west-1"]),
    ],
)
def test_the_nearest_bucket_comes_first(here: str, regions: list[str]) -> None:
    buckets = "a-snapshot@ap-south-1,b-snapshot@us-east-1,c-snapshot@eu-west-1"
    found = load_settings({"AWS_REGION": here, "EDGE_SNAPSHOT_BUCKETS": buckets}).snapshot_buckets
    assert [region for _, region in found] == regions
    assert {f"{name}@{region}" for name, region in found} == set(buckets.split(","))


@pytest.mark.parametrize(
    "bucket",
    [
        "acme",
        "acme@",
        "@us-east-1",
        "acme@us-east-1@x",
        "a.cme@us-east-1",
        "Acme@us-east-1",
        "acme@US",
        "a/b@us-east-1",
    ],
)
def test_what_is_no_bucket_of_a_region_is_named(bucket: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(bucket))):
        load_settings({"EDGE_SNAPSHOT_BUCKETS": f"good@eu-west-1,{bucket}"})
