"""Draws the trade-off between waiting and cutting in, from what ``benchmarks/turns.py --out`` wrote.

    python benchmarks/turns_curve.py RESULTS.json docs/turn-taking-curve.svg

A panel for each set: the policy along its knob, with Smart Turn as published and with ours, and a fixed delay after silence that
waits as long on average. Plain SVG, written here.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

PANELS = {"speechocean762_pauses": "Read sentences (speechocean762)", "an4": "Names, numbers, spelling (AN4)"}
SILENCE = ("silence alone", "#8a8f98")
DETECTORS = {"smart-turn": ("Smart Turn as published", "#c2701c"), "antiphon": ("Antiphon", "#1f6feb")}
WIDTH, HEIGHT = 360, 300
LEFT, TOP, RIGHT, BOTTOM = 52, 44, 12, 46
LONGEST = 1.0
"""Seconds at the right edge."""

Points = list[tuple[float, float]]


def main() -> None:
    reports = json.loads(Path(sys.argv[1]).read_text())["reports"]
    drawn = {one["detector"]: one["curve"] for one in reports if one["detector"] in DETECTORS}
    titles = [SILENCE, *(DETECTORS[name] for name in drawn)]
    panels = [
        panel(title, lines_of([curve[name] for curve in drawn.values()]), titles, WIDTH * n)
        for n, (name, title) in enumerate(PANELS.items())
    ]
    width, height = WIDTH * len(panels), HEIGHT + 26
    legend = "".join(
        f'<line x1="{60 + 200 * n}" x2="{84 + 200 * n}" y1="{HEIGHT + 8}" y2="{HEIGHT + 8}" stroke="{colour}" '
        f'stroke-width="2.5"/><text x="{90 + 200 * n}" y="{HEIGHT + 12}">{name}</text>'
        for n, (name, colour) in enumerate(titles)
    )
    Path(sys.argv[2]).write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="12" fill="#1f2328" role="img">\n'
        "<title>Pauses cut off against mean latency</title>\n"
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>\n' + "\n".join(panels) + f"\n{legend}\n</svg>\n"
    )


def lines_of(curves: list[list[dict[str, Any]]]) -> list[Points]:
    """(mean latency in s, share cut), by latency: silence alone, then each detector."""
    silence = {(point["mean"], point["vad_at_mean"]) for curve in curves for point in curve}
    return [sorted(silence)] + [sorted((point["mean"], point["cut"]) for point in curve) for curve in curves]


def panel(title: str, lines: list[Points], titles: list[tuple[str, str]], x: int) -> str:
    """One set's picture, ``x`` to the right."""
    most = max(cut for line in lines for _, cut in line)
    top = next(t for t in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0) if t >= most)
    parts = [f'<g transform="translate({x} 0)">', f'<text x="{LEFT}" y="24" font-weight="bold">{title}</text>']
    for step in range(5):
        cut = top * step / 4
        y = place(0.0, cut, top)[1]
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#d8dce1"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{100 * cut:.0f} %</text>')
    for tenth in range(2, round(LONGEST * 10) + 1, 2):
        at = place(tenth / 10, 0.0, top)[0]
        parts.append(f'<text x="{at:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{tenth / 10:g}</text>')
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 10}">pauses cut off, by mean latency in seconds</text>')
    for line, (_, colour) in zip(lines, titles, strict=True):
        points = " ".join("{:.1f},{:.1f}".format(*place(s, cut, top)) for s, cut in line if s <= LONGEST)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
    return "\n".join([*parts, "</g>"])


def place(seconds: float, cut: float, top: float) -> tuple[float, float]:
    """Where a point lies in its panel."""
    across = (seconds - 0.2) / (LONGEST - 0.2)
    return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - cut / top * (HEIGHT - TOP - BOTTOM)


if __name__ == "__main__":
    main()
