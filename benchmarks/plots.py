"""Draws benchmarks/fleet.json into docs/performance/: `make plots`, with matplotlib of an environment of its own."""

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt

ROOT = Path(__file__).parent.parent
OUT = ROOT / "docs" / "performance"
# The same file from the same figures.
mpl.rcParams.update(
    {"svg.hashsalt": "fleet", "svg.fonttype": "none", "font.size": 10, "axes.grid": True, "grid.alpha": 0.3}
)


def main() -> None:
    """Draw all of them."""
    figures = json.loads((ROOT / "benchmarks" / "fleet.json").read_text())
    OUT.mkdir(parents=True, exist_ok=True)
    hits(figures)
    hottest_key(figures["fleet"])
    changes(figures["fresh"])
    outage(figures)
    waiting(figures)


def hits(figures: dict[str, Any]) -> None:
    """How many requests ask the table."""
    _, axes = plt.subplots(1, 3, figsize=(11, 3.4), sharey=True)
    titles = {"fresh": "fresh time, s", "instances": "instances", "routes": "routes"}
    for axis, (name, title) in zip(axes, titles.items(), strict=True):
        points = {float(key): found["hit_ratio"] for key, found in figures[name].items()}
        axis.plot(list(points), [value * 100 for value in points.values()], marker="o")
        axis.set(xscale="log", xlabel=title, ylim=(0, 100))
    axes[0].set_ylabel("answered from memory, %")
    save("hit-ratio")


def hottest_key(fleet: dict[str, Any]) -> None:
    """What the hottest key has to bear, beside what one partition does."""
    _, axis = plt.subplots(figsize=(6, 3.6))
    for count, by_fresh in fleet.items():
        points = {float(fresh): found["hottest_key_units_per_second"] for fresh, found in by_fresh.items()}
        axis.plot(list(points), list(points.values()), marker="o", label=f"{int(count):,} instances")
    axis.axhline(3_000, color="black", linestyle="--", label="a partition's limit")
    axis.set(xscale="log", yscale="log", xlabel="fresh time, s", ylabel="read units a second, hottest key")
    axis.set_ylim(bottom=0.01)
    axis.legend(fontsize=8, loc="lower left", ncols=3)
    save("hottest-key")


def changes(fresh: dict[str, Any]) -> None:
    """How long a change takes until no instance answers with what was before."""
    _, axis = plt.subplots(figsize=(6, 3.4))
    times = [float(key) for key in fresh]
    for name, label in (("p50", "half of the changes"), ("p99", "99 %"), ("max", "all")):
        axis.plot(times, [found[f"change_seen_{name}"] for found in fresh.values()], marker="o", label=label)
    axis.set(xlabel="fresh time, s", ylabel="seconds until seen everywhere")
    axis.legend(fontsize=8)
    save("change-seen")


def outage(figures: dict[str, Any]) -> None:
    """What is answered while the table is not there."""
    _, axis = plt.subplots(figsize=(6, 3.4))
    for name, label in (
        ("outage", "all regions, read host by host"),
        ("outage_of_one_region", "one region of four, likewise"),
        ("followed_outage", "all regions, every route known"),
    ):
        minutes = figures[name]["minutes"]
        served = [100 * (1 - counts.get("503", 0) / sum(counts.values())) for counts in minutes.values()]
        axis.plot([int(minute) for minute in minutes], served, marker="o", label=f"table out in {label}")
    axis.axvspan(5, 15, color="grey", alpha=0.2)
    axis.set(xlabel="minute", ylabel="requests served, %", ylim=(0, 102))
    axis.legend(fontsize=8)
    save("outage")


def waiting(figures: dict[str, Any]) -> None:
    """How many requests wait for the table, read host by host and where every instance knows every route."""
    _, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True)
    rates = figures["followed_rate"]
    for axis, title, old, new in (
        (axes[0], "instances, 1,000 requests a second together", figures["instances"], figures["followed"]),
        (axes[1], "requests a second to each of 12 instances", *_by_age(rates)),
    ):
        for label, by_key in (("host by host", old), ("every route known", new)):
            points = {float(key): found["hit_ratio"] for key, found in by_key.items()}
            axis.plot(list(points), [100 * (1 - value) for value in points.values()], marker="o", label=label)
        axis.set(xscale="log", xlabel=title, ylim=(-2, 102))
    axes[0].set_ylabel("requests that wait for the table, %")
    axes[0].legend(fontsize=8)
    save("waiting")


def _by_age(rates: dict[str, Any]) -> list[dict[str, Any]]:
    return [{rate: found[age] for rate, found in rates.items()} for age in ("old", "new")]


def save(name: str) -> None:
    """Write the figure that was drawn."""
    plt.tight_layout()
    plt.savefig(OUT / f"{name}.svg", metadata={"Date": None})
    plt.close()


if __name__ == "__main__":
    main()
