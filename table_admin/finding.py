"""What doctor says of one step of a request's way."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """What one step of the way says; `mend` is what to do about it, empty where nothing is."""

    step: str
    status: Literal["ok", "wrong", "unknown"]
    text: str
    mend: str = ""
