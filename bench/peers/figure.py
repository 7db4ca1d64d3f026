"""The goals that are ratios as one SVG: a bar for what was reached, a mark for the goal, on a logarithmic axis."""
import math
from xml.sax.saxutils import escape

import goals

LEFT, WIDTH, RIGHT, STEP, TOP = 430, 470, 70, 19, 54
COLOURS = {"reached": "#2a7f5f", "missed": "#c0504d", "-": "#7a8691", "refused": "#7a8691", "not measured": "#7a8691"}
STYLE = ("<style>text{font:12px sans-serif;fill:#222}.title{font-weight:bold}.grid{stroke:#ddd}.goal{stroke:#222;stroke-width:2}.spread{stroke:#222;stroke-width:1}"
         ".small{font-size:11px;fill:#555}</style>")


def bars(judged):
    """[(row, value, low, high, goal)] with more being better throughout."""
    out = []
    for row in judged:
        if row["kind"] != "ratio":
            continue
        r = row.get("ratio") if row["verdict"] in ("reached", "missed", "-") else None
        out.append((row, *([r[k] for k in ("value", "low", "high")] if r else [None] * 3), row["goal"]))
    return out


def svg(judged):
    rows = bars(judged)
    numbers = [x for b in rows for x in b[1:] if x] + [0.5, 20]
    low, high = math.floor(2 * math.log2(min(numbers))) / 2, math.ceil(2 * math.log2(max(numbers))) / 2
    at = lambda v: LEFT + WIDTH * (math.log2(v) - low) / (high - low)
    height = TOP + STEP * (len(rows) + 2 * len(goals.SIZES)) + 10
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + RIGHT} {height}" role="img" aria-label="weft\'s rate over its peers\' by work">', STYLE,
           f'<rect width="{LEFT + WIDTH + RIGHT}" height="{height}" fill="#fff"/>',
           f'<text class="title" x="10" y="18">weft\'s rate over its peer\'s (median of the rounds; thin line: lowest to highest; mark: goal)</text>']
    tick = math.ceil(low)
    while tick <= high:
        x = at(2 ** tick)
        out.append(f'<line class="grid" x1="{x:.1f}" y1="{TOP - 14}" x2="{x:.1f}" y2="{height - 6}"/><text class="small" x="{x:.1f}" y="{TOP - 18}" text-anchor="middle">{2 ** tick:g}</text>')
        tick += 1
    y, size = TOP, None
    for row, value, least, most, goal in rows:
        if row["size"] != size:
            size = row["size"]
            y += STEP
            out.append(f'<text class="title" x="10" y="{y:.0f}">{escape(goals.SIZES[size])}</text>')
            y += STEP // 2
        y += STEP
        label = f'{row["title"]} / {row["against"]}'.replace("`", "")
        out.append(f'<text x="{LEFT - 8}" y="{y}" text-anchor="end" class="small">{escape(label)}</text>')
        if value:
            one, end = at(1), at(value)
            out.append(f'<rect x="{min(one, end):.1f}" y="{y - 11}" width="{max(abs(end - one), 1):.1f}" height="12" fill="{COLOURS[row["verdict"]]}"/>'
                       f'<line class="spread" x1="{at(least):.1f}" x2="{at(most):.1f}" y1="{y - 5}" y2="{y - 5}"/>'
                       f'<text class="small" x="{LEFT + WIDTH + 8}" y="{y}">{value:.2f}</text>')
        else:
            out.append(f'<text class="small" x="{LEFT + WIDTH + 8}" y="{y}">{row["verdict"]}</text>')
        if goal:
            out.append(f'<line class="goal" x1="{at(goal):.1f}" x2="{at(goal):.1f}" y1="{y - 13}" y2="{y + 3}"/>')
    return "\n".join(out) + "\n</svg>\n"
