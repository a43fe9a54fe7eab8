"""Files of routes: JSON Lines, JSON, CSV, TSV or YAML, as programs and spreadsheets write them. Read row by row."""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain, zip_longest
from pathlib import PurePath
from typing import Any, BinaryIO, Literal, TextIO

import yaml

from table_admin.cells import CODECS
from table_admin.errors import InvalidInput
from table_admin.policies import NONE
from table_admin.yaml_data import plain_data

Format = Literal["jsonl", "json", "csv", "tsv", "yaml"]
FORMATS: tuple[Format, ...] = ("jsonl", "json", "csv", "tsv", "yaml")
FIELDS = (
    *("domain", "target", "environment", "service", "owner", "expires_at", "keep_host", "note", "managed", "source"),
    "rules",
    *("private", "allow", "noindex", "headers", "maintenance"),
    *("canary", "standby", "failed_over"),
)
_BOOLEANS = ("keep_host", "managed", "private", "noindex", "failed_over")
_ENDINGS: dict[str, Format] = {f".{form}": form for form in FORMATS} | {".ndjson": "jsonl", ".yml": "yaml"}
_DELIMITERS = ",;\t"
_NOTHING = f'{_DELIMITERS}" \xa0\r\n'
"""What a line is made of that has only empty cells."""
_TRUTHS: dict[str, bool | str] = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
_REST = "Nothing after it was read."
_BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb": "utf-8-sig"}
_NO_TEXT = {
    b"PK\x03\x04": "a spreadsheet's own format (.xlsx, .ods) or another zip archive",
    b"\xd0\xcf\x11\xe0": "a spreadsheet's own format (.xls)",
    b"\x1f\x8b": "compressed with gzip",
}
Rows = Iterator[tuple[int, Any]]
"""A line, and either what is written there or an InvalidInput: why that cannot be read."""


def format_of(name: str) -> Format:
    """Return the format of a file by its ending, JSON Lines where it has none. Raises InvalidInput."""
    ending = PurePath(name).suffix.lower()
    if ending and ending not in _ENDINGS:
        if ending in (".xls", ".xlsx", ".ods", ".numbers"):
            raise InvalidInput(f"{name} is a spreadsheet's own format; save it as CSV.")
        raise InvalidInput(f"{name}: {ending} is none of {', '.join(_ENDINGS)}; name the format with --format.")
    return _ENDINGS.get(ending, "jsonl")


def text_of(file: BinaryIO) -> TextIO:
    """Return a file's text: UTF-8, or UTF-16 where a byte order mark says so, as spreadsheets write it.

    Raises:
        InvalidInput: it is no text, though its name may say so.
    """
    start = file.peek(4) if isinstance(file, io.BufferedReader) else b""
    for beginning, what in _NO_TEXT.items():
        if start.startswith(beginning):
            raise InvalidInput(f"The file is {what}, whatever its name says; save it as text, as CSV for example.")
    encoding = _BYTE_ORDER_MARKS.get(start[:2], "utf-8")
    # What is wrong in one line is no reason not to read the next: `read` says so of the line.
    return io.TextIOWrapper(file, encoding, newline="", errors="strict" if encoding == "utf-16" else "surrogateescape")


def read(stream: TextIO, form: Format) -> Rows:
    """Yield each line with what is written there. Raises InvalidInput for a stream that is not of this format."""
    reader = {"jsonl": _read_jsonl, "json": _read_json, "csv": _read_csv, "tsv": _read_csv, "yaml": _read_yaml}[form]
    try:
        for line, values in reader(stream):
            yield line, values if _is_text(values) else InvalidInput("it is not UTF-8; save the file as UTF-8.")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"The file is not UTF-16, though it begins so: {error.reason}. Save it as UTF-8.") from error


def _is_text(values: Any) -> bool:
    """Tell whether all of it could be written: bytes that are no UTF-8 are halves of characters by now."""
    if isinstance(values, str):
        return values.isascii() or not _HALF_CHARACTER.search(values)
    if isinstance(values, dict):
        return all(_is_text(name) and _is_text(value) for name, value in values.items())
    return not isinstance(values, list) or all(map(_is_text, values))


def write(rows: Iterable[dict[str, Any]], out: TextIO, form: Format) -> int:
    """Write rows as `read` reads them; return how many. Holds one at a time."""
    count = 0
    writer = None
    if form in ("csv", "tsv"):
        writer = csv.DictWriter(out, FIELDS, dialect="excel" if form == "csv" else "excel-tab")
        writer.writeheader()
    for count, row in enumerate(rows, 1):
        if writer is not None:
            cells = {name: str(row[name]).lower() for name in _BOOLEANS if name in row}
            cells |= {name: codec.cell(row[name]) for name, codec in CODECS.items() if name in row}
            writer.writerow(row | cells)
        elif form == "yaml":
            out.write(yaml.safe_dump([row], sort_keys=False, allow_unicode=True, width=1000))
        elif form == "json":
            out.write(f"{'[' if count == 1 else ','}\n{json.dumps(row)}")
        else:
            out.write(json.dumps(row) + "\n")
    if form == "json":
        out.write("\n]\n" if count else "[]\n")
    return count


def _read_jsonl(stream: TextIO) -> Rows:
    for line, text in enumerate(stream, 1):
        if text.strip("\ufeff \t\r\n"):
            yield line, _parsed(text.removeprefix("\ufeff"))


def _read_json(stream: TextIO) -> Rows:
    """Yield the items of an array; the file's text is held, the items are not."""
    text = stream.read().removeprefix("\ufeff")
    decoder = json.JSONDecoder(object_pairs_hook=_named_once)
    at = _skip_space(text, 0)
    if not text[at : at + 1]:
        return
    if text[at] != "[":
        raise InvalidInput(
            "A JSON file to import is an array of routes; with an object a line it is JSON Lines, .jsonl."
        )
    at, line, counted = _skip_space(text, at + 1), 1, 0
    while text[at : at + 1] != "]":
        line, counted = line + text.count("\n", counted, at), at
        try:
            item, at = decoder.raw_decode(text, at)
        except InvalidInput as error:
            # What is wrong is in the item, whose end is known once it is read without that check.
            item, at = error, json.JSONDecoder().raw_decode(text, at)[1]
        except (ValueError, RecursionError) as error:
            yield line, InvalidInput(f"not JSON: {error}. {_REST}")
            return
        yield line, item
        at = _skip_space(text, at)
        if text[at : at + 1] == ",":
            at = _skip_space(text, at + 1)
        elif text[at : at + 1] != "]":
            yield (
                line + text.count("\n", counted, at),
                InvalidInput(f"not JSON: a comma or ] is missing before this. {_REST}"),
            )
            return


def _skip_space(text: str, at: int) -> int:
    while text[at : at + 1] in (" ", "\t", "\r", "\n"):
        at += 1
    return at


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_named_once)
    except InvalidInput as error:
        return error
    except (ValueError, RecursionError) as error:
        return InvalidInput(f"not JSON: {error}.")


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise InvalidInput(f"{name} is written twice.")
        found[name] = value
    return found


def _read_csv(stream: TextIO) -> Rows:
    before = 0
    first = stream.readline().removeprefix("\ufeff")
    while first and (not first.strip(_NOTHING) or first.lower().startswith("sep=")):
        before += 1
        first = stream.readline()
    if not first:
        return
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(chain([first], stream), delimiter=delimiter, strict=True)
    names = None
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield max(1, before + reader.line_num), InvalidInput(f"not CSV: {error}.{_unclosed(error)}")
            continue
        if names is None:
            names = _column_names(cells, before + 1)
        else:
            values = _cells(names, cells)
            if values:
                yield before + reader.line_num, values


def _unclosed(error: csv.Error) -> str:
    return " A quote is not closed, so the rest of the file is in it." if "unexpected end" in str(error) else ""


def _column_names(cells: list[str], line: int) -> list[str]:
    """Return the names of a table's first line, empty where a column has none.

    Raises:
        InvalidInput: they are others; with what was found.
    """
    names = [cell.strip().lower().replace(" ", "_").replace("-", "_") for cell in cells]
    wrong = [cell.strip() for cell, name in zip(cells, names, strict=True) if name and name not in FIELDS]
    twice = [name for name in names if name and names.count(name) > 1]
    missing = [name for name in ("domain", "target") if name not in names]
    if wrong or twice or missing:
        found = ", ".join([repr(cell.strip()[:40]) for cell in cells if cell.strip()][:12])
        why = (
            f"{missing[0]} is missing"
            if missing
            else f"{twice[0]} is there twice"
            if twice
            else f"{wrong[0][:40]!r} is none"
        )
        where = "The first line" if line == 1 else f"Line {line}, the first that is not empty,"
        raise InvalidInput(f"{where} names the columns, of {', '.join(FIELDS)}; found {found}: {why}.")
    return names


def _cells(names: list[str], cells: list[str]) -> Any:
    """Return what a line says, by name: an empty cell says nothing."""
    values: dict[str, Any] = {}
    for at, (name, cell) in enumerate(zip_longest(names, cells, fillvalue="")):
        value = cell if name == "note" else cell.strip()
        if value and not name:
            return InvalidInput(f"column {_letters(at)} has no name, but {value[:40]!r} is in it.")
        if value:
            values[name] = value
    for name in _BOOLEANS:
        if name in values:
            truth = _TRUTHS.get(values[name].lower())
            if name == "noindex" and values[name].lower() == NONE:
                truth = NONE
            if truth is None:
                return InvalidInput(f"{name} is {values[name][:40]!r}; write true, false or nothing.")
            values[name] = truth
    try:
        return values | {name: codec.value(values[name]) for name, codec in CODECS.items() if name in values}
    except InvalidInput as error:
        return error


def _letters(at: int) -> str:
    """Return a column as spreadsheets name it: A to Z, AA, and so on."""
    return (_letters(at // 26 - 1) if at >= 26 else "") + chr(ord("A") + at % 26)


def _read_yaml(stream: TextIO) -> Rows:
    """Yield the items of a list, each built when it is reached: the whole is never held."""
    try:
        loader: Any = yaml.SafeLoader(stream)
        loader.get_event()  # the stream's start
        while not loader.check_event(yaml.StreamEndEvent):
            loader.get_event()  # a document's start
            yield from _items(loader)
            loader.get_event()  # the list's end
            loader.get_event()  # the document's
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        yield mark.line + 1 if mark else 1, InvalidInput(f"not YAML: {_problem(error)}. {_REST}")
    except RecursionError:
        yield 1, InvalidInput(f"not YAML: too deep. {_REST}")


def _problem(error: yaml.YAMLError) -> str:
    return getattr(error, "problem", None) or " ".join(str(error).split())


def _items(loader: Any) -> Rows:
    if not loader.check_event(yaml.SequenceStartEvent):
        raise InvalidInput(
            "A YAML file to import is a list of routes: - {domain: ..., target: ...}. "
            "One with owner and routes is for plan and apply."
        )
    loader.get_event()
    while not loader.check_event(yaml.SequenceEndEvent):
        line = loader.peek_event().start_mark.line + 1
        node = loader.compose_node(None, None)
        try:
            yield line, plain_data(node)
        except InvalidInput as error:
            yield line, error
