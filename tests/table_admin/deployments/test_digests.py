"""What is known of files is used only while they are as they were when they were read."""

import os
import time
from pathlib import Path

import pytest

from table_admin import RoutingTable
from table_admin.deployments.build import build
from table_admin.deployments.deploy import deploy
from table_admin.deployments.digests import Digest, Digests, digests_of

KNOWN = Digest(b"\x01" * 32, True)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten seconds after the files were written: the time of an inode's last change cannot be set."""
    now = time.time_ns
    monkeypatch.setattr("table_admin.deployments.digests.time.time_ns", lambda: now() + 10_000_000_000)


def page(tmp_path: Path) -> Path:
    path = tmp_path / "public" / "index.html"
    path.parent.mkdir()
    path.write_text("one")
    return path


def noted(tmp_path: Path, path: Path, digest: Digest = KNOWN) -> Path:
    file = tmp_path / "cache" / "digests"
    digests = Digests(file)
    digests.add(path.stat(), digest)
    digests.save()
    return file


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("is_utf8", [True, False])
def test_of_a_file_that_is_as_it_was_it_is_known_what_is_in_it(tmp_path: Path, is_utf8: bool) -> None:
    path = page(tmp_path)
    assert Digests(noted(tmp_path, path, Digest(b"\x02" * 32, is_utf8))).get(path.stat()) == Digest(
        b"\x02" * 32, is_utf8
    )


@pytest.mark.usefixtures("later")
def test_a_file_that_was_written_again_is_unknown_also_under_its_old_time_and_size(tmp_path: Path) -> None:
    path = page(tmp_path)
    before, file = path.stat(), noted(tmp_path, path)
    time.sleep(0.05)  # more than the file system's clock takes for a step
    path.write_text("two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_mtime_ns, path.stat().st_size) == (before.st_mtime_ns, before.st_size)
    assert Digests(file).get(path.stat()) is None


@pytest.mark.usefixtures("later")
def test_another_file_in_its_place_is_unknown(tmp_path: Path) -> None:
    path = page(tmp_path)
    before, file = path.stat(), noted(tmp_path, path)
    other = tmp_path / "other"
    other.write_text("two")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)
    assert Digests(file).get(path.stat()) is None


def test_a_file_that_was_just_written_is_not_noted_for_it_may_be_written_again(tmp_path: Path) -> None:
    path = page(tmp_path)
    assert not noted(tmp_path, path).exists()


@pytest.mark.usefixtures("later")
def test_what_was_not_asked_for_is_forgotten(tmp_path: Path) -> None:
    path = page(tmp_path)
    other = path.with_name("other.html")
    other.write_text("other")
    file = noted(tmp_path, path)
    digests = Digests(file)
    digests.add(other.stat(), KNOWN)
    digests.save()
    after = Digests(file)
    assert (after.get(path.stat()), after.get(other.stat())) == (None, KNOWN)


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("damage", [b"", b"{}", b"short", None])
def test_where_it_was_damaged_nothing_is_known(tmp_path: Path, damage: bytes | None) -> None:
    path = page(tmp_path)
    file = noted(tmp_path, path)
    content = bytearray(file.read_bytes())
    content[-2] ^= 1
    file.write_bytes(content if damage is None else damage)
    assert Digests(file).get(path.stat()) is None


@pytest.mark.usefixtures("later")
def test_where_it_cannot_be_kept_files_are_read_each_time(tmp_path: Path) -> None:
    path = page(tmp_path)
    (tmp_path / "cache").write_text("no directory")
    noted(tmp_path, path)
    (tmp_path / "cache").unlink()
    (tmp_path / "cache" / "digests").mkdir(parents=True)
    noted(tmp_path, path)
    assert [*(tmp_path / "cache").iterdir()] == [tmp_path / "cache" / "digests"]


@pytest.mark.usefixtures("later")
def test_those_of_directories_that_nobody_deploys_go_after_a_month(tmp_path: Path) -> None:
    path = page(tmp_path)
    old, new = (tmp_path / "cache" / name for name in ("old", "new"))
    old.parent.mkdir()
    for file, days in ((old, 31), (new, 29)):
        file.write_bytes(b"")
        os.utime(file, (time.time() - days * 86_400,) * 2)
    file = noted(tmp_path, path)
    assert {*file.parent.iterdir()} == {file, new}


@pytest.mark.usefixtures("later")
def test_a_site_is_the_same_whether_its_files_were_known_or_read(tmp_path: Path) -> None:
    directory = page(tmp_path).parent
    for name, content in {"app.js": b"1", "old.html": b"\xff", "film.mp4": os.urandom(2 * 1024 * 1024)}.items():
        (directory / name).write_bytes(content)
    file = tmp_path / "cache" / "digests"
    first, again = (build(directory, digests=Digests(file)) for _ in range(2))
    assert again == first == build(directory)
    assert again.files["/old.html"].content_type == "text/html"  # not UTF-8: its own word counts
    assert file.stat().st_size > 4 * 32


@pytest.mark.usefixtures("later")
def test_deploy_reads_no_file_that_is_as_it_was_but_with_resend(tmp_path: Path, table: RoutingTable) -> None:
    path = page(tmp_path)

    def target(*, resend: bool = False) -> str:
        bucket, domain = "acme-static-sites", "www.example.com"
        return deploy(table, path.parent, bucket=bucket, domain=domain, resend=resend, dry_run=True).target

    true = target()
    assert target() == true
    known = digests_of(path.parent)
    known.add(path.stat(), KNOWN)  # which is not what is in it
    known.save()
    assert target() != true
    assert target(resend=True) == true
