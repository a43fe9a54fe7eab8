"""Asking AWS what may be refused: an answer, or why there is none."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError


def ask(question: Callable[[], Any]) -> tuple[Any, str]:
    """Return the answer, or None and why there is none."""
    try:
        return question(), ""
    except ClientError as error:
        return None, f"{error.response['Error'].get('Code')}: {error.response['Error'].get('Message', '')}"
    except BotoCoreError as error:
        return None, str(error)
