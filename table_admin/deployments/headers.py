"""`_headers`: Netlify's and Cloudflare's syntax. Every line is of a block, a comment, or refused with its number."""

import re

from edge_handler.website.listing import HeaderRule
from table_admin.deployments.rule_lines import WrongLine, check_characters, names_in, numbered, path_of, refuse, short
from table_admin.header_names import header_name

NAME = "_headers"
MAX_BLOCKS = 500
MAX_LINE = 4096
CORS = "access-control-allow-origin"
_PRINTABLE = re.compile(r"[\t\x20-\x7e]+")
_ORIGIN = re.compile(r"\*|https?://[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?")


def parse_headers(text: str) -> list[tuple[int, HeaderRule]]:
    """Return each block with the line of its path.

    Raises:
        InvalidInput: with what is wrong in which line.
    """
    reading = _Reading()
    for number, line in numbered(text):
        try:
            reading.read(number, line)
        except WrongLine as error:
            reading.wrong.append((number, str(error)))
    reading.close()
    if len(reading.blocks) > MAX_BLOCKS:
        reading.wrong.append((reading.blocks[MAX_BLOCKS][0], f"it is the first of more than {MAX_BLOCKS} blocks."))
    if reading.wrong:
        refuse(NAME, reading.wrong)
    return reading.blocks


def cors_of(rules: list[HeaderRule]) -> str:
    """Return which origin may read the site's files, empty where no rule lets one."""
    return next((value for rule in rules for name, value in rule.set if name == CORS), "")


class _Reading:
    """The blocks so far, and the one that is being read."""

    def __init__(self) -> None:
        self.blocks: list[tuple[int, HeaderRule]] = []
        self.wrong: list[tuple[int, str]] = []
        self._origin = (0, "")
        self._begin(0, "")

    def _begin(self, line: int, pattern: str) -> None:
        self._line = line
        self._pattern = pattern
        self._set: list[tuple[str, str]] = []
        self._remove: list[str] = []
        self._says_something = False

    def read(self, number: int, line: str) -> None:
        """Take a line in. Raises WrongLine."""
        if re.match("/|https?://", line):
            self.close()
            self._begin(number, "")
            check_characters(line)
            self._pattern = path_of(line)
            names_in(self._pattern)
            return
        if not self._line:
            raise WrongLine("it comes before the first path; a block begins with a path, /* for instance.")
        self._says_something = True
        check_characters(line)
        if line.startswith("!"):
            name = header_name(line[1:].strip())
            if name == "content-type":
                raise WrongLine("without a Content-Type browsers guess one; set another instead.")
            self._remove.append(name)
        else:
            self._set.append(self._header(number, line))

    def close(self) -> None:
        """End the block; one without a header is a mistake."""
        if not self._pattern:
            return  # it has been refused
        if not self._says_something:
            self.wrong.append((self._line, f"no header follows {short(self._pattern)}."))
        else:
            self.blocks.append((self._line, HeaderRule(self._pattern, tuple(self._set), tuple(self._remove))))

    def _header(self, number: int, line: str) -> tuple[str, str]:
        if len(line) > MAX_LINE:
            raise WrongLine(f"it is longer than {MAX_LINE:,} characters.")
        written, colon, value = line.partition(":")
        if not colon:
            raise WrongLine(f"{short(line)} is neither a path nor a header; write Name: value.")
        name, value = header_name(written.strip()), value.strip()
        if not value:
            raise WrongLine(f"{short(written)} has no value; write ! {short(written)} to remove it.")
        if not _PRINTABLE.fullmatch(value):
            raise WrongLine(f"the value of {short(written)} is not ASCII, which is all that a header is safe with.")
        if name == CORS:
            self._check_origin(number, value)
        return name, value

    def _check_origin(self, number: int, value: str) -> None:
        if not _ORIGIN.fullmatch(value):
            raise WrongLine(f"{short(value)} is neither * nor an origin as https://app.example.com; one is written.")
        before, origin = self._origin
        if origin not in ("", value):
            raise WrongLine(
                f"line {before} allows {origin}; a site allows * or one origin, for its preflights' answer."
            )
        if not origin:
            self._origin = number, value
