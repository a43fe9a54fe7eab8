"""A snapshot as the edge finds a row in it."""

from typing import Any

from edge_handler.snapshot.pointer import POINTER_KEY, Pointer, decode_pointer, digest_of
from edge_handler.snapshot.records import BLOCKS_OF_PART, block_of, decode_block, decode_part, find_in_block


class Reading:
    """What is in a bucket."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3, self._bucket = s3, bucket

    @property
    def pointer(self) -> Pointer:
        return decode_pointer(self._get(POINTER_KEY))

    def find(self, domain: str) -> bytes | None:
        pointer = self.pointer
        part, block = divmod(block_of(domain, pointer.blocks), BLOCKS_OF_PART)
        return find_in_block(self._part(pointer, part)[block], pointer.dictionary, domain)

    def all(self) -> dict[str, bytes]:
        pointer = self.pointer
        found = [
            record
            for part in range(len(pointer.parts))
            for block in self._part(pointer, part)
            for record in decode_block(block, pointer.dictionary)
        ]
        assert len(dict(found)) == len(found)
        return dict(found)

    @property
    def keys(self) -> set[str]:
        return {one["Key"] for one in self._s3.list_objects_v2(Bucket=self._bucket).get("Contents", ())}

    def _part(self, pointer: Pointer, part: int) -> list[bytes]:
        content = self._get(pointer.key(part))
        assert digest_of(content) == pointer.parts[part]
        return decode_part(content)

    def _get(self, key: str) -> bytes:
        content: bytes = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        return content
