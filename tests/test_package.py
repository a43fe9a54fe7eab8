"""What would be deployed: the template, the built packages, the sample events, the real runtime."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from edge_handler.routes.resolver import Resolver
from edge_handler.viewer_request import make_handler
from local_edge.contract import check_result
from local_edge.template import load_template
from tests.lambda_runtime import invoke
from tests.support import ROOT, SETTINGS, Clock, Rows, event, header, route, run

BIN = Path(sys.executable).parent
ENVIRON = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "AWS_DEFAULT_REGION": "us-east-1"}
CARRY_A_REQUEST = [
    "ab-test",
    "access-request-in-response",
    "http-redirect",
    "modify-querystring",
    "multiple-remote-calls-aggregate-response",
    "normalize-querystring-to-improve-cache-hit",
    "redirect-on-viewer-country",
    "redirect-unauthenticated-users",
    "response-generation",
    "serve-object-on-viewer-device",
    "simple-remote-call",
]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sam")
    command = [str(BIN / "sam"), "build", "--build-dir", str(folder), "--cache-dir", str(folder / "cache")]
    done = subprocess.run(command, cwd=ROOT, env=ENVIRON, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("function", ["ViewerRequestFunction", "OriginRequestFunction", "OriginResponseFunction"])
def test_a_package_holds_the_handlers_and_cachetools_and_nothing_else(
    built: Path, function: str, tmp_path: Path
) -> None:
    package = built / function
    assert {entry.name for entry in package.iterdir()} == {"edge_handler", "cachetools"}
    archive = tmp_path / "package.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        for file in package.rglob("*"):
            out.write(file, file.relative_to(package))
    assert archive.stat().st_size <= 160 * 1024
    assert_starts_alone(function, package)


def assert_starts_alone(function: str, package: Path) -> None:
    """Import a function from its package, without the environment's packages: they have this project among them."""
    script = f"import edge_handler.{MODULES[function]}; print(edge_handler.__file__)"
    command = [sys.executable, "-S", "-E", "-c", f"import sys; sys.path.insert(0, {str(package)!r}); {script}"]
    done = subprocess.run(command, cwd=package, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(str(package))


MODULES = {
    "ViewerRequestFunction": "viewer_request",
    "OriginRequestFunction": "origin_request",
    "OriginResponseFunction": "origin_response",
}
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.mark.parametrize(
    ("function", "name", "expected"),
    [
        ("ViewerRequestFunction", "viewer-request-wildcard-host", ("status", "400")),
        ("OriginRequestFunction", "origin-request-static", ("uri", "/env-123/index.html")),
        ("OriginResponseFunction", "origin-response-static-304", ("status", "304")),
    ],
)
def test_where_the_functions_python_is_at_hand_the_package_is_its_bytecode(
    function: str, name: str, expected: tuple[str, str], tmp_path: Path
) -> None:
    environ = {"ARTIFACTS_DIR": str(tmp_path), "PYTHON": sys.executable, "RUNTIME": VERSION, "COMPILER": sys.executable}
    command = ["make", "-s", "-C", str(ROOT / "edge_handler"), f"build-{function}"]
    subprocess.run(command, env={**ENVIRON, **environ}, check=True, capture_output=True)
    assert {entry.name for entry in tmp_path.iterdir()} == {"edge_handler", "cachetools"}
    assert not list(tmp_path.rglob("*.py"))
    access = {file.stem for file in (tmp_path / "edge_handler" / "access").glob("*.pyc")} - {"__init__"}
    if function == "ViewerRequestFunction":
        assert {"guard", "keys", "session"} <= access
    else:
        # origin-request takes sessions out of what applications get, and can tell of none whether it is good.
        assert access == ({"session"} if function == "OriginRequestFunction" else set())
    assert_starts_alone(function, tmp_path)
    result, _ = invoke(f"edge_handler.{MODULES[function]}.handler", event(name), tmp_path, {"PYTHONPATH": ""})
    assert result[expected[0]] == expected[1]


@pytest.mark.parametrize("function", ["AdminFunction", "SnapshotFunction"])
def test_what_has_dependencies_is_made_for_the_functions_python_whatever_runs_here(built: Path, function: str) -> None:
    package = built / function
    assert {"table_admin", "edge_handler", "boto3", "aws_lambda_powertools", "pydantic"} <= {
        entry.name for entry in package.iterdir()
    }
    handler = load_template(stack="s", bucket="b").properties(function)["Handler"]
    assert (package / handler.rpartition(".")[0].replace(".", "/")).with_suffix(".py").exists()
    assert (package / "edge_handler" / "snapshot" / "pointer.py").exists()
    assert not list(package.rglob("*.pyc"))
    (native,) = (package / "pydantic_core").glob("*.so")
    assert "cpython-313-x86_64" in native.name
    size = sum(file.stat().st_size for file in package.rglob("*") if file.is_file())
    assert size < 250 * 1024 * 1024  # Lambda's quota


@pytest.mark.parametrize("name", CARRY_A_REQUEST)
def test_sams_own_events_get_a_result_the_contract_accepts(name: str) -> None:
    command = [str(BIN / "sam"), "local", "generate-event", "cloudfront", name]
    given = json.loads(subprocess.run(command, env=ENVIRON, capture_output=True, text=True, check=True).stdout)
    given["Records"][0]["cf"]["config"].setdefault("eventType", "viewer-request")
    given["Records"][0]["cf"]["config"]["eventType"] = "viewer-request"
    given["Records"][0]["cf"]["request"].pop("origin", None)
    handler = make_handler(Resolver(Rows(route("d123.cf.net")), SETTINGS, Clock()))
    result = run(handler, given)
    assert header(result, "x-route") or result["status"] in ("400", "404", "405", "502")


def test_every_sample_event_is_one_that_cloudfront_could_send() -> None:
    for file in sorted((ROOT / "events").glob("*.json")):
        given = event(file.stem)
        cf = given["Records"][0]["cf"]
        config, subject = cf["config"], cf.get("response", cf["request"])
        assert file.stem.startswith(config["eventType"]), file
        # Unchanged, it must pass; only the wildcard host and the forged stamp are the viewer's own doing.
        check_result(config["eventType"], subject, subject)


@pytest.mark.parametrize(
    ("function", "name", "expected"),
    [
        ("ViewerRequestFunction", "viewer-request-wildcard-host", ("status", "400")),
        ("OriginRequestFunction", "origin-request-static", ("uri", "/env-123/index.html")),
        ("OriginResponseFunction", "origin-response-static-304", ("status", "304")),
    ],
)
def test_the_built_package_answers_inside_lambdas_own_runtime(
    built: Path, function: str, name: str, expected: tuple[str, str]
) -> None:
    result, _ = invoke(f"edge_handler.{MODULES[function]}.handler", event(name), built / function, {"PYTHONPATH": ""})
    assert result[expected[0]] == expected[1]
