"""A directory that is elsewhere, as who has it describes it: JSON, kept in the bucket while it is being deployed."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from unicodedata import normalize

from botocore.exceptions import BotoCoreError, ClientError
from jsonschema import Draft202012Validator, validators

from edge_handler.website.listing import LISTS, Site
from table_admin.deployments import headers, redirects
from table_admin.deployments.build import Build, LocalFile, build_from
from table_admin.deployments.caching import is_immutable
from table_admin.deployments.content_types import content_type
from table_admin.deployments.files import MAX_FILE_BYTES, printable, refuse_names
from table_admin.errors import InvalidInput, NotFound, TableAdminError

MOST_BYTES = 64 * 2**20
MOST_FILES = 50_000
"""A function has 29 seconds for them; the command has no such limit."""
_DIGEST = r"^[0-9a-f]{64}\Z"  # a $ would let a newline follow
_Validator = validators.extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    # JSON Schema takes 16.0 for an integer.
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int),
)
_VALIDATOR = _Validator(
    {
        "type": "object",
        "required": ["files"],
        "additionalProperties": False,
        "properties": {
            "files": {
                "type": "object",
                "additionalProperties": {
                    "type": "object",
                    "required": ["sha256", "size"],
                    "additionalProperties": False,
                    "properties": {
                        "sha256": {"type": "string", "pattern": _DIGEST},
                        "size": {"type": "integer", "minimum": 0, "maximum": MAX_FILE_BYTES},
                    },
                },
            },
            redirects.NAME: {"type": "string"},
            headers.NAME: {"type": "string"},
        },
    }
)


def manifest_key(sha256: str) -> str:
    """Return the name of a manifest's object."""
    return f"{LISTS}/manifests/{sha256}"


def check_digest(text: str) -> str:
    """Return a SHA-256 in hexadecimal digits. Raises InvalidInput."""
    if not re.fullmatch(_DIGEST, text):
        raise InvalidInput(f"{text[:80]!r} is no SHA-256: 64 hexadecimal digits, lower-case.")
    return text


def read_manifest(s3: Any, bucket: str, sha256: str) -> Any:
    """Return what a bucket has of a manifest.

    Raises:
        NotFound: it was not uploaded.
        InvalidInput: it is no manifest, or of too many files.
    """
    content = _read(s3, bucket, sha256)
    try:
        found = json.loads(content)
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise InvalidInput("The manifest has half of a character (a lone surrogate), which is not UTF-8.") from None
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"The manifest is not JSON: {error}.") from error
    _check(found)
    return found


def build_manifest(manifest: Any, *, spa: bool, force: bool, former: Sequence[Site]) -> Build:
    """Return what a manifest describes as a site: see `build`. Raises InvalidInput."""
    files = {}
    for name, said in manifest["files"].items():
        path = normalize("NFC", f"/{name.removeprefix('/')}")
        files[path] = LocalFile(name, said["size"], said["sha256"], content_type(path), is_immutable(path))
    if len(files) != len(manifest["files"]):
        raise InvalidInput("Two files of the manifest have the same address, with and without a slash or by form.")
    _refuse_what_no_directory_has(files)
    refuse_names(files)
    rules = [manifest.get(name, "").encode() for name in (redirects.NAME, headers.NAME)]
    return build_from(files, *rules, spa=spa, force=force, former=former)


def _read(s3: Any, bucket: str, sha256: str) -> bytes:
    key = manifest_key(check_digest(sha256))
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
        if answer["ContentLength"] > MOST_BYTES:
            raise InvalidInput(f"The manifest is larger than {MOST_BYTES // 2**20} MiB.")
        return bytes(answer["Body"].read())
    except (ClientError, BotoCoreError) as error:
        if isinstance(error, ClientError) and error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            raise NotFound(f"There is no manifest {sha256}: it was not uploaded.") from error
        raise TableAdminError(f"s3://{bucket}/{key} cannot be read: {error}") from error


def _check(found: Any) -> None:
    files = found.get("files") if isinstance(found, dict) else None
    if isinstance(files, dict) and len(files) > MOST_FILES:
        raise InvalidInput(
            f"The manifest has {len(files):,} files, more than {MOST_FILES:,}; use `table-admin deploy` for so many."
        )
    wrong = next(_VALIDATOR.iter_errors(found), None)
    if wrong is not None:
        where = printable(".".join(map(str, wrong.absolute_path)))
        raise InvalidInput(f"The manifest is not as it should be: {where or 'it'}: {wrong.message[:300]}.")


def _refuse_what_no_directory_has(files: Mapping[str, LocalFile]) -> None:
    sizes: dict[str, int] = {}
    for path, file in files.items():
        name = printable(path[1:]) or "The directory"
        if not all(path[1:].split("/")):
            raise InvalidInput(f"{name} has an empty name in its path.")
        if "\0" in path:
            raise InvalidInput(f"{name} has a zero byte in its path.")
        if sizes.setdefault(file.sha256, file.size) != file.size:
            raise InvalidInput(f"The content {file.sha256} has two sizes, {sizes[file.sha256]:,} and {file.size:,}.")
