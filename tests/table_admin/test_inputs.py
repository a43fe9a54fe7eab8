"""What people type, and what they are told where it cannot be."""

import pytest

from table_admin import InvalidInput
from table_admin.inputs import parse_duration, parse_moment
from tests.support import NOW


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("12h", 43200),
        ("7d", 604800),
        ("2w", 1209600),
        ("007d", 604800),
        ("3650d", 315360000),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("soon", "is not a duration; write for example 90s"),
        ("7", "is not a duration; write for example 90s"),
        ("-7d", "is not a duration; write for example 90s"),
        ("7D", "is not a duration; units are lower-case: 7d"),
        ("7M", "is not a duration; units are lower-case: 7m"),
        ("\u0667d", "is not a duration; write for example 90s"),
        ("\uff17d", "is not a duration; write for example 90s"),
        ("0d", "is no time at all"),
        ("000s", "is no time at all"),
        ("3651d", "is too long; at most 3650d, which is ten years"),
        ("36500d", "is too long; at most 3650d"),
        (f"{'9' * 5000}d", "is too long; at most 3650d"),
    ],
)
def test_what_is_no_duration_is_told_why(text: str, says: str) -> None:
    for parse in (parse_duration, lambda given: parse_moment(given, NOW)):
        if parse is not parse_duration and "write for example" in says:
            says = "is not a time or a duration"
        with pytest.raises(InvalidInput) as caught:
            parse(text)
        assert str(caught.value).startswith(f"{text[:40]!r} {says}")
