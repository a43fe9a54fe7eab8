"""The table of what lets people in: the keys that tokens are signed with, and the hashes of passwords.

Nothing of it is in a row, its history or the feed, and this module alone reads it for the writer.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from botocore.exceptions import ClientError

from edge_handler.access.keys import KEYS
from edge_handler.access.session import SECRET_BYTES, Key, is_key_id
from edge_handler.routes.attributes import Item
from table_admin.errors import RevisionConflict, TableAdminError
from table_admin.tables import plain_errors

_FAILED = "ConditionalCheckFailedException"


class NoAccessTable(TableAdminError):
    """The stack was made before there was one."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """What tokens are signed with, and since when."""

    key: Key
    made_at: str
    """ISO 8601, UTC."""


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """All that tokens are verified with, the newest first: that one signs."""

    keys: tuple[SigningKey, ...] = ()
    revision: int = 0
    """0 where there is no item yet."""


class AccessTable:
    """The `<stack>-access` table."""

    def __init__(self, stack: str, dynamodb: Any) -> None:
        self.name = f"{stack}-access"
        self._dynamodb = dynamodb

    def keys(self) -> SigningKeys:
        """Return the signing keys as they are now. Raises TableAdminError where they cannot be read."""
        item = self._item(KEYS)
        return _decode(item) if item is not None else SigningKeys()

    def change_keys(self, changed: Callable[[Sequence[SigningKey]], Sequence[SigningKey]], *, repair: bool) -> None:
        """Write what `changed` makes of the signing keys, unless somebody else wrote meanwhile.

        Args:
            changed: given the keys, the newest first.
            repair: keys that cannot be read are none.

        Raises:
            RevisionConflict: they are others than those that `changed` was given; nothing was written.
        """
        item = self._item(KEYS)
        try:
            before = _decode(item) if item is not None else SigningKeys()
        except TableAdminError:
            if not repair:
                raise
            before = SigningKeys()
        after = SigningKeys(tuple(changed(before.keys)), before.revision + 1)
        if item is None:
            condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(#domain)"}
            names = {"#domain": "domain"}
        elif isinstance(item.get("revision"), dict):
            condition = {"ConditionExpression": "#revision = :revision"}
            condition["ExpressionAttributeValues"] = {":revision": item["revision"]}
            names = {"#revision": "revision"}
        else:
            condition, names = {"ConditionExpression": "attribute_not_exists(#revision)"}, {"#revision": "revision"}
        self._put(_encode(after), before.revision, ExpressionAttributeNames=names, **condition)

    def put_password(self, domain: str, attributes: Mapping[str, Mapping[str, object]]) -> None:
        """Write a domain's password over whatever it had."""
        self._put({"domain": {"S": domain}, **attributes}, 0)

    def forget_password(self, domain: str, since: int) -> None:
        """Remove a domain's password of before `since`, where it has one."""
        condition: dict[str, Any] = {
            "ConditionExpression": "attribute_exists(#domain) AND #since < :since",
            "ExpressionAttributeNames": {"#domain": "domain", "#since": "since"},
            "ExpressionAttributeValues": {":since": {"N": str(since)}},
        }
        with plain_errors():
            try:
                self._dynamodb.delete_item(TableName=self.name, Key={"domain": {"S": domain}}, **condition)
            except ClientError as error:
                if error.response["Error"]["Code"] != _FAILED:
                    self._raise(error)

    def _item(self, domain: str) -> Item | None:
        request = {"TableName": self.name, "Key": {"domain": {"S": domain}}, "ConsistentRead": True}
        with plain_errors():
            try:
                item: Item | None = self._dynamodb.get_item(**request).get("Item")
            except ClientError as error:
                self._raise(error)
        return item

    def _put(self, item: Mapping[str, object], revision: int, **condition: Any) -> None:
        with plain_errors():
            try:
                self._dynamodb.put_item(TableName=self.name, Item=item, **condition)
            except ClientError as error:
                if error.response["Error"]["Code"] == _FAILED:
                    raise RevisionConflict("The signing keys", revision) from error
                self._raise(error)

    def _raise(self, error: ClientError) -> NoReturn:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            raise NoAccessTable(
                f"The table {self.name} does not exist here; check --stack, the region and the account. A stack of "
                "before private domains has none: update it."
            ) from error
        raise error


def new_key(made_at: str) -> SigningKey:
    """Return one that nobody has."""
    return SigningKey(Key(secrets.token_hex(4), secrets.token_bytes(SECRET_BYTES)), made_at)


def _encode(keys: SigningKeys) -> dict[str, Any]:
    return {
        "domain": {"S": KEYS},
        "keys": {"L": [*map(_encode_key, keys.keys)]},
        "revision": {"N": str(keys.revision)},
    }


def _encode_key(one: SigningKey) -> dict[str, Any]:
    return {"M": {"id": {"S": one.key.id}, "secret": {"B": one.key.secret}, "made_at": {"S": one.made_at}}}


def _decode(item: Item) -> SigningKeys:
    try:
        return SigningKeys(tuple(_decoded(item["keys"]["L"])), int(item["revision"]["N"]))
    except (AttributeError, KeyError, TypeError, ValueError):
        pass
    # Not from the error, which would show what is in the item.
    raise TableAdminError("The signing keys cannot be read; make new ones: table-admin access rotate --now")


def _decoded(items: Iterable[Any]) -> Iterable[SigningKey]:
    for item in items:
        one = item["M"]
        key = Key(str(one["id"]["S"]), bytes(one["secret"]["B"]))
        if not is_key_id(key.id) or len(key.secret) != SECRET_BYTES:
            raise ValueError
        yield SigningKey(key, str(one["made_at"]["S"]))
