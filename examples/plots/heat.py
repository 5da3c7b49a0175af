"""What is left at the end, for each rate and harvest, as a heat map: heat.py TABLE... > SVG.

A table is called RATE-HARVEST-SEED.tsv; of several seeds, the mean is drawn.
"""

import sys
from collections import defaultdict
from pathlib import Path

CELL, MARGIN = 56, 72

left = defaultdict(list)
for path in map(Path, sys.argv[1:]):
    rate, harvest, _ = path.stem.split("-")
    last = path.read_text().splitlines()[-1]
    left[float(rate), float(harvest)].append(float(last.split("\t")[1]))
rates = sorted({rate for rate, _ in left})
harvests = sorted({harvest for _, harvest in left})
width, height = MARGIN + CELL * len(rates) + 48, MARGIN + CELL * len(harvests) + 8

print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="12">')
print('<rect width="100%" height="100%" fill="white"/>')
print(f'<text x="{MARGIN}" y="20">rate of growth</text><text x="8" y="{MARGIN - 8}">harvest</text>')
for column, rate in enumerate(rates):
    print(f'<text x="{MARGIN + CELL * column + 18}" y="{MARGIN - 8}">{rate:g}</text>')
for row, harvest in enumerate(harvests):
    print(f'<text x="32" y="{MARGIN + CELL * row + 32}">{harvest:g}</text>')
    for column, rate in enumerate(rates):
        ends = left[rate, harvest]
        mean = sum(ends) / len(ends)
        shade = round(255 - 200 * min(1, mean))
        x, y = MARGIN + CELL * column, MARGIN + CELL * row
        print(f'<rect x="{x}" y="{y}" width="{CELL}" height="{CELL}" fill="rgb({shade},{shade},255)"/>')
        print(f'<text x="{x + 16}" y="{y + 32}">{mean:.2f}</text>')
print("</svg>")
