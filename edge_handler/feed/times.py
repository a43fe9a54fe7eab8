"""DynamoDB's times, as the feed has them: text that sorts as time does.

Not datetime, nor calendar: either costs milliseconds to import.
"""

import time

AHEAD_SECONDS = 86_400
"""A time that is as much ahead of this sandbox's is nobody's: taken for one, nothing later would ever come."""


def as_text(seconds: float) -> str:
    """Return epoch seconds as a time (ISO 8601, UTC), rounded down to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(seconds))


def back(text: str, seconds: float) -> str:
    """Return the time (ISO 8601, UTC) so many seconds before another, to the second and not after it."""
    return as_text(epoch_seconds(text) - seconds)


def epoch_seconds(text: str) -> int:
    """Return a time (ISO 8601, UTC) as whole epoch seconds, rounded down."""
    year, month, day = int(text[:4]), int(text[5:7]), int(text[8:10])
    # Years that begin in March: then the leap day is a year's last.
    year, month = (year, month - 3) if month > 2 else (year - 1, month + 9)
    days = year * 365 + year // 4 - year // 100 + year // 400 + (153 * month + 2) // 5 + day - 719_469
    return days * 86_400 + int(text[11:13]) * 3_600 + int(text[14:16]) * 60 + int(text[17:19])
