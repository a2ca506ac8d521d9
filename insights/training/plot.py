"""Draws how far a score can be believed: what was foretold beside what came true, on the sessions that judged. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from insights.intents.training import Bin, Judged

_SIDE: Final = 260
_MARGIN: Final = 46
_STYLE: Final = (
    "<style>svg{color-scheme:light dark;font:12px system-ui,sans-serif;--i:#1b2329;--l:#ccd3d8;--n:#1d6a90;--o:#c4572b;"
    "--g:#fff}@media(prefers-color-scheme:dark){svg{--i:#e6ebee;--l:#3d474e;--n:#79c3e8;--o:#f0935f;--g:#1c2328}}"
    "text{fill:var(--i)}.l{stroke:var(--l);fill:none}.n{stroke:var(--n);fill:none;stroke-width:2}.o{stroke:var(--o);"
    "fill:none;stroke-width:2;stroke-dasharray:4 3}.d{fill:var(--n)}.e{fill:var(--o)}.g{fill:var(--g)}</style>"
)


def svg(judged: Sequence[Judged], before: str) -> str:
    """One square a score: the new model solid, the one before dashed, the diagonal where both agree."""
    width = (_SIDE + _MARGIN) * max(1, len(judged)) + 20
    height = _SIDE + 90
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="Calibration on later sessions">{_STYLE}<rect class="g" width="{width}" height="{height}"/>'
    ]
    for number, one in enumerate(judged):
        most = max([0.05, *(max(b.foretold, b.came_true) for b in (*one.bins, *one.bins_before))])
        parts.append(f'<g transform="translate({_MARGIN + number * (_SIDE + _MARGIN)} 30)">')
        parts.append(f'<text y="-10">{one.score.replace("_", " ")}</text>')
        parts.append(f'<rect class="l" width="{_SIDE}" height="{_SIDE}"/><path class="l" d="M0 {_SIDE}L{_SIDE} 0"/>')
        for step in (0.0, 0.5, 1.0):
            label = f"{most * step:.0%}"
            parts.append(f'<text x="-6" y="{_SIDE * (1 - step) + 4:.0f}" text-anchor="end">{label}</text>')
            parts.append(f'<text x="{_SIDE * step:.0f}" y="{_SIDE + 16}" text-anchor="middle">{label}</text>')
        parts += [_line(one.bins_before, most, "o", "e"), _line(one.bins, most, "n", "d"), "</g>"]
    parts.append(
        f'<text x="{_MARGIN}" y="{height - 12}">Across: foretold. Up: came true. Solid: the new model; dashed: '
        f"{before}.</text></svg>\n"
    )
    return "".join(parts)


def _line(bins: Sequence[Bin], most: float, line: str, dot: str) -> str:
    points = [(_SIDE * b.foretold / most, _SIDE * (1 - b.came_true / most)) for b in bins]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(f'<circle class="{dot}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in points)
    return f'<polyline class="{line}" points="{path}"/>{dots}'


def rows(bins: Sequence[Bin], width: int = 40) -> list[str]:
    """The same for a terminal: a bar for what came true, a mark where it was foretold."""
    most = max([0.01, *(max(b.foretold, b.came_true) for b in bins)])
    found = []
    for one in bins:
        bar = ["█" if place < round(width * one.came_true / most) else " " for place in range(width + 1)]
        bar[min(width, round(width * one.foretold / most))] = "│"
        found.append(f"{one.foretold:>6.1%} foretold {''.join(bar)} {one.came_true:.1%} of {one.rows:,}")
    return found
