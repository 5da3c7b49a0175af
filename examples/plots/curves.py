"""Draws tables of the same two columns as curves in one SVG: curves.py TITLE TABLE... > SVG."""

import sys
from html import escape

WIDTH, HEIGHT, MARGIN = 640, 320, 48
COLOURS = ["#1b6ca8", "#c8553d", "#588157", "#8e6c8a", "#b08900", "#3d405b"]

title, paths = sys.argv[1], sys.argv[2:]
curves = []
for path in paths:
    with open(path) as table:
        rows = [line.split("\t") for line in table.read().splitlines()[1:]]
    curves.append([(float(x), float(y)) for x, y in rows])
right = max(x for curve in curves for x, _ in curve)
top = max(max(y for curve in curves for _, y in curve), 1e-9)


def place(x, y):
    across = MARGIN + x / right * (WIDTH - 2 * MARGIN)
    down = HEIGHT - MARGIN - y / top * (HEIGHT - 2 * MARGIN)
    return f"{across:.1f},{down:.1f}"


print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif">')
print('<rect width="100%" height="100%" fill="white"/>')
print(f'<text x="{WIDTH / 2}" y="24" text-anchor="middle">{escape(title)}</text>')
print(f'<polyline points="{place(0, top)} {place(0, 0)} {place(right, 0)}" fill="none" stroke="black"/>')
print(f'<text x="8" y="{MARGIN}" font-size="12">{top:.2f}</text>')
print(f'<text x="{WIDTH - MARGIN}" y="{HEIGHT - 16}" font-size="12">{right:.0f}</text>')
for number, curve in enumerate(curves):
    points = " ".join(place(x, y) for x, y in curve)
    print(f'<polyline points="{points}" fill="none" stroke="{COLOURS[number % len(COLOURS)]}"/>')
print("</svg>")
