"""Turns prices into euros: convert.py ORDERS RATES CURRENCY > ORDERS."""

import csv
import sys

source, rates, currency = sys.argv[1:]
with open(rates) as table:
    rate = {row["currency"]: float(row["euros"]) for row in csv.DictReader(table)}[currency]
with open(source) as orders:
    rows = csv.DictReader(orders)
    converted = csv.DictWriter(sys.stdout, rows.fieldnames, lineterminator="\n")
    converted.writeheader()
    for row in rows:
        converted.writerow(row | {"price": f"{float(row['price']) * rate:.2f}"})
