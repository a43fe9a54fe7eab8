"""Random command lines, environments and files: made of the command's own verbs and options, spoilt now and then."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from table_admin.cli.reference import verbs
from table_admin.cli.session import EVERYWHERE

TARGET = "s3://acme-static-sites/env-a"
BALANCER = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/none/0123456789abcdef"
JSONL = f'{{"domain": "a.localhost", "target": "{TARGET}"}}\n{{"domain": "b.localhost", "target": "{TARGET}"}}\n'
CSV = f"domain,target,environment\nc.localhost,{TARGET},e\nd.localhost,{TARGET},\n"
PLAN = (
    f"owner: shop\nroutes:\n  e.localhost: {TARGET}\n  f.localhost:\n    target: {TARGET}\n    expires_at: 2099-12-31\n"
)
LIST = f"- domain: g.localhost\n  target: {TARGET}\n"
TOML = 'stack = "edge-routing"\nbase = "localhost"\nbucket = "acme-static-sites"\nexpires_in = "7d"\n'
ODD = [
    *("", " ", "-", "--", "--no-such", "=", "a=", "=a", "%s", "{x}", "*", "[", "..", "/", "/x", "//", "\n", "\t"),
    *(
        "é",
        "日本",
        "\U0001f600",
        "\uff41.localhost",
        "\x1b[31m",
        "a" * 300,
        "a." * 200,
        "-1",
        "0",
        "1e9",
        "9" * 40,
        "nan",
    ),
    *("\udcff", "٣", "http://[", "http://a b/", "s3://", "s3:///x", "https://", "arn:", "arn:aws:s3:::x", "None", "{}"),
    *("@file", "~", "$HOME", "2026-13-01", "0001-01-01T00:00+23:59", "9999-12-31T23:59-12:00", "1w", "99999999w"),
]
GOOD: dict[str, list[str]] = {
    "domain": ["a.localhost", "b.localhost", "env-1.localhost", "x.example.com", "*.example.com"],
    "domains": ["a.localhost", "b.localhost=web", "www.localhost"],
    "target": [TARGET, BALANCER, "https://api.localhost", "/env-a", "redirect:https://www.localhost"],
    "given_rules": [f"/api/*={TARGET}", "/a=redirect:302:/b", "/b/*=strip:https://api.localhost", "/c=/env-a"],
    "gone_rules": ["/api/*", "/a"],
    "services": [TARGET, f"web={TARGET}", "web=/env-a", "api=https://api.localhost"],
    "url": ["https://a.localhost/", "a.localhost/docs/", "http://env-1.localhost:8080/x?y=1"],
    "address": ["a.localhost", "b.localhost/docs/?x=y", "https://127.0.0.1:9/"],
    "cookies": ["a=b", "theme=dark"],
    "name": ["env-1", "env-2"],
    "environment": ["env-1", "a"],
    "base": ["localhost", "example.com"],
    "expires_in": ["7d", "1s", "12h"],
    "since": ["2026-01-01", "2026-01-01T08:00Z", "10m"],
    "stack": ["no-such-stack"],
    "profile": ["default", "no-such-profile"],
    "region": ["us-east-1", "eu-west-1"],
    "edge": ["http://127.0.0.1:9"],
    "allow": ["203.0.113.0/24", "2001:db8::/32", "127.0.0.1"],
    "headers": ["X-Frame-Options: DENY", "Server-Timing:", "X-A: b: c"],
    "gone_headers": ["x-frame-options", "X-A"],
    "to": ["/", "/docs/"],
    "weight": ["0", "5", "100"],
    "of": ["a.localhost", "env-1.localhost"],
    "cookie": ["session", "_ga"],
    "standby": [TARGET, BALANCER, "/env-a", "keep-host:https://api.localhost"],
    "retry_after": ["10m", "2h"],
    "message": ["Back at nine.", "Überarbeitung"],
    "port": ["0"],
}


@dataclass(frozen=True, slots=True)
class CommandLine:
    """What a process is given."""

    arguments: list[str]
    environ: dict[str, str]
    stdin: bytes
    verb: str


class CommandLines:
    """An endless source of them; the same for the same seed."""

    def __init__(self, seed: int, folder: Path, endpoint: str, stack: str) -> None:
        self._chance = random.Random(seed)
        self._folder = folder
        self._endpoints = [endpoint] * 12 + ["127.0.0.1:9", "nonsense", "http://[", "http://127.0.0.1:99999", " ", ""]
        self._stack = stack
        self._verbs = [*verbs()]
        (folder / "directory").mkdir(exist_ok=True)

    def next(self) -> CommandLine:
        chance = self._chance
        self._write_files()
        verb, command = chance.choice(self._verbs)
        words = [word for option in command.params for word in self._given(verb, option)]
        words = [*self._everywhere(), *verb.split(), *words, *self._everywhere()]
        if chance.random() < 0.1:
            words.insert(chance.randrange(len(words) + 1), chance.choice(ODD))
        if chance.random() < 0.05:
            chance.shuffle(words)
        if chance.random() < 0.05:
            words = words[: chance.randrange(len(words) + 1)]
        words = [word.replace("\0", "") for word in words]
        if verb in ("doctor", "ask-edge"):
            words += ["--edge", "http://127.0.0.1:9"]
        return CommandLine(words, self._environ(), self._content(), verb)

    def _given(self, verb: str, parameter: click.Parameter) -> list[str]:
        chance = self._chance
        if parameter in EVERYWHERE:
            return []
        if isinstance(parameter, click.Argument):
            if chance.random() < 0.05:
                return []
            return [self._value(verb, parameter) for _ in range(chance.randint(1, 3) if parameter.nargs == -1 else 1)]
        assert isinstance(parameter, click.Option)
        if chance.random() < (0.1 if parameter.required else 0.75):
            return []
        name = chance.choice([*parameter.opts, *parameter.secondary_opts])
        return [name] if parameter.is_flag else [name, self._value(verb, parameter)]

    def _value(self, verb: str, parameter: click.Parameter) -> str:
        chance = self._chance
        if isinstance(parameter.type, click.File):
            return self._out() if verb == "export" else self._file()
        if chance.random() < 0.15:
            return chance.choice(ODD)
        if isinstance(parameter.type, click.Choice):
            return chance.choice([*map(str, parameter.type.choices), "none"])
        if isinstance(parameter.type, click.types.IntParamType):
            return str(chance.choice([0, 1, 2, 3, 10**6]))
        return chance.choice(GOOD.get(str(parameter.name), ODD))

    def _everywhere(self) -> list[str]:
        chance = self._chance
        if chance.random() < 0.9:
            return []
        option = chance.choice(EVERYWHERE)
        if option.name == "endpoint_url":
            return [option.opts[0], chance.choice(self._endpoints)]
        return [option.opts[0], chance.choice(GOOD.get(str(option.name), ODD) + ODD)]

    def _file(self) -> str:
        names = ["a.jsonl", "a.csv", "a.yaml", "a.json", "a.tsv", "plan.yaml", "directory", "none", "-", "/dev/null"]
        return self._chance.choice(names)

    def _out(self) -> str:
        return self._chance.choice(
            ["out.jsonl", "out.csv", "out.yaml", "-", "directory", "none/x", "/dev/full", "/dev/null"]
        )

    def _write_files(self) -> None:
        chance = self._chance
        for name in ("a.jsonl", "a.csv", "a.yaml", "a.json", "a.tsv", "plan.yaml"):
            if chance.random() < 0.1:
                (self._folder / name).write_bytes(self._content())
        for name in ("table-admin.toml", "pyproject.toml"):
            path = self._folder / name
            if chance.random() < 0.05:
                path.write_bytes(self._spoilt((b"[tool.table-admin]\n" if name[0] == "p" else b"") + TOML.encode()))
            elif chance.random() < 0.2:
                path.unlink(missing_ok=True)

    def _content(self) -> bytes:
        chance = self._chance
        kinds: list[Callable[[], bytes]] = [
            lambda: chance.choice([JSONL, CSV, PLAN, LIST]).encode(),
            lambda: self._spoilt(chance.choice([JSONL, CSV, PLAN, LIST]).encode()),
            lambda: chance.choice([JSONL, CSV, PLAN]).encode("utf-16"),
            lambda: b"\xef\xbb\xbf" + CSV.replace(",", ";").encode(),
            lambda: chance.randbytes(chance.randrange(60)),
            lambda: chance.choice([b"[", b"{", b'{"a":', b"- ", b"a: "]) * 3000,
            lambda: b"",
            lambda: b"y\n",
        ]
        return chance.choice(kinds)()

    def _spoilt(self, text: bytes) -> bytes:
        chance = self._chance
        found = bytearray(text)
        for _ in range(chance.choice([0, 1, 1, 3])):
            place = chance.randrange(len(found) + 1)
            found[place : place + chance.randrange(4)] = chance.choice(
                [b"", b"[", b"\xff", b"=", b'""', b"\n", b"7", b": "]
            )
        return bytes(found)

    def _environ(self) -> dict[str, str]:
        chance = self._chance
        found = {
            "AWS_ENDPOINT_URL": chance.choice(self._endpoints),
            "TABLE_ADMIN_STACK": self._stack,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        if chance.random() < 0.9:
            found |= {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
        if chance.random() < 0.9:
            found["AWS_DEFAULT_REGION"] = "us-east-1"
        others = {
            "TABLE_ADMIN_STACK": ODD,
            "TABLE_ADMIN_ACTOR": ODD,
            "TABLE_ADMIN_BASE": ["localhost", *ODD],
            "TABLE_ADMIN_BUCKET": ["acme-static-sites", *ODD],
            "TABLE_ADMIN_EXPIRES_IN": ["7d", *ODD],
            "TABLE_ADMIN_EDGE": ["http://{domain}:8081/", *ODD],
            "AWS_PROFILE": ODD,
            "AWS_DEFAULT_REGION": ODD,
            "AWS_CONFIG_FILE": ["a.csv", "directory", "/dev/null", "none", "a.yaml"],
            "AWS_SHARED_CREDENTIALS_FILE": ["a.csv", "directory", "a.jsonl"],
            "AWS_CA_BUNDLE": ["none", "a.csv"],
            "AWS_MAX_ATTEMPTS": ["0", "-1", "x", "1"],
            "AWS_RETRY_MODE": ["standard", "x", ""],
            "AWS_DEFAULTS_MODE": ["x", "standard", ""],
            "AWS_STS_REGIONAL_ENDPOINTS": ["x"],
            "AWS_ENDPOINT_URL_DYNAMODB": [each for each in self._endpoints if each],
            "AWS_ENDPOINT_URL_S3": [each for each in self._endpoints if each],
            "AWS_USE_FIPS_ENDPOINT": ["x", "true"],
            "AWS_ACCOUNT_ID_ENDPOINT_MODE": ["x"],
            "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES": ["x", "-1"],
            "HTTP_PROXY": ["http://[", "127.0.0.1:9", "://"],
            "EDGE_FRESH_SECONDS": ["x", "nan"],
            "EDGE_REPLICA_REGIONS": ODD,
            "HOME": ["/nowhere", "", "directory"],
            "TERM": ["dumb", "xterm-256color", "", "x"],
            "COLUMNS": ["1", "0", "-1", "x", "40", "9999"],
            "LINES": ["x", "0"],
            "NO_COLOR": ["1", ""],
            "FORCE_COLOR": ["1"],
            "LC_ALL": ["C", "x"],
            "TZ": ["x", ":/etc/passwd"],
            "_TABLE_ADMIN_COMPLETE": ["bash_complete", "x", "zsh_source", ""],
            "COMP_WORDS": ["table-admin env '", "x"],
            "COMP_CWORD": ["x", "9", "1"],
        }
        for name, values in others.items():
            if chance.random() < 0.03:
                found[name] = chance.choice(values)
        return found
