"""`python -m benchmarks.invocations --count 200000`: both functions, five regions, a process each."""

import argparse
import json
import sys
from typing import Any

from benchmarks.invocations.runtime import Findings
from benchmarks.invocations.world import REGIONS, world

VIEWER_SHARE = 0.75
# The most that viewer-request may take; Lambda would end it, and CloudFront answer 503.
LONGEST_SECONDS = 5.0


def figures_of(findings: Findings) -> dict[str, Any]:
    """Return what is worth keeping."""
    return {
        "answered": findings.answered,
        "wrong": len(findings.wrong),
        "outcomes": dict(findings.outcomes.most_common()),
        "longest_seconds": round(findings.longest, 3),
        "probes_until_well": findings.probes,
        "resident_mb": round(max(findings.resident) / 1e6, 1),
        "growth_bytes": findings.growth(),
        "descriptors": max(findings.descriptors),
        "cgroup_peak_mb": round(findings.peak / 1e6, 1) if findings.peak else None,
        "log_lines": findings.log_lines,
        "reads": dict(findings.regions.most_common()),
    }


def main() -> int:
    """Print the figures of each process as JSON, and say what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200_000, help="invocations in all")
    count = parser.parse_args().count / len(REGIONS)
    figures, faults = {}, []
    with world() as found:
        for region in REGIONS:
            for function, share in (("viewer-request", VIEWER_SHARE), ("origin-request", 1 - VIEWER_SHARE)):
                findings = found.run(function, region, round(count * share))
                name = f"{function} in {region}"
                figures[name] = figures_of(findings)
                if findings.longest > LONGEST_SECONDS:
                    faults.append(f"{name}: an answer took {findings.longest:.1f} s")
                if function == "viewer-request" and findings.regions.most_common(1)[0][0] != region:
                    faults.append(f"{name}: asked {findings.regions}")
                faults += [f"{name}: {fault}" for fault in findings.faults()]
                print(name, figures[name], file=sys.stderr, flush=True)
    print(json.dumps(figures))
    print("\n".join(faults), file=sys.stderr)
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
