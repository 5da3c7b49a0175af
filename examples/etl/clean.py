"""Parts rows that make sense from those that do not: clean.py ORDERS GOOD BAD."""

import csv
import sys
from datetime import date


def problem(row):
    try:
        date.fromisoformat(row["day"])
        int(row["pieces"])
        float(row["price"])
    except ValueError as error:
        return str(error)
    return None


source, good_path, bad_path = sys.argv[1:]
with open(source) as orders, open(good_path, "w") as good, open(bad_path, "w") as bad:
    rows = csv.DictReader(orders)
    kept = csv.DictWriter(good, rows.fieldnames, lineterminator="\n")
    kept.writeheader()
    for row in rows:
        why = problem(row)
        if why is None:
            kept.writerow(row)
        else:
            print(row["order"], why, sep="\t", file=bad)
