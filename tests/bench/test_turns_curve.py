"""The picture of the trade-off is a picture: drawn from a report, every line in its place."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "turns_curve.py"
SVG = "{http://www.w3.org/2000/svg}"


def curve(*points: tuple[float, float, float]) -> list[dict[str, float]]:
    return [{"mean": mean, "cut": cut, "vad_at_mean": silence} for mean, cut, silence in points]


def test_each_set_has_a_line_for_silence_and_for_each_detector(tmp_path: Path) -> None:
    drawn = curve((0.6, 0.1, 0.3), (0.2, 0.4, 0.4), (1.7, 0.0, 0.0))
    report = {"detector": "antiphon", "curve": {"speechocean762_pauses": drawn, "an4": drawn}}
    other = {"detector": "somebody's", "curve": {}}
    (tmp_path / "in.json").write_text(json.dumps({"reports": [report, other]}))
    subprocess.run([sys.executable, SCRIPT, tmp_path / "in.json", tmp_path / "out.svg"], check=True)
    picture = ElementTree.parse(tmp_path / "out.svg").getroot()
    lines = [line.get("points", "") for line in picture.iter(f"{SVG}polyline")]
    assert len(lines) == 4
    silence, ours = ([tuple(map(float, point.split(","))) for point in line.split()] for line in lines[:2])
    assert len(silence) == len(ours) == 2, "what lies beyond the right edge is left out"
    assert silence[0] == ours[0] == (52.0, 44.0), "0.2 s and the highest share: the upper left corner"
    assert ours[1][0] == silence[1][0] == 200.0 and ours[1][1] > silence[1][1], "lower on the page is fewer cut"
