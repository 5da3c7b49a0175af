# Reads "method steps error", sorted, and adds the order: by how many powers of the step the
# error fell since the line before.

BEGIN { printf "%-10s %6s %14s %6s\n", "method", "steps", "error", "order" }
{
    order = "-"
    if ($1 == method) order = sprintf("%.2f", log(error / $3) / log($2 / steps))
    printf "%-10s %6d %14s %6s\n", $1, $2, $3, order
    method = $1
    steps = $2
    error = $3
}
