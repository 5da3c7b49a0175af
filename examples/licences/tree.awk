# Joins the two closest groups of texts again and again (average linkage) and draws the joins.
# Reads pairs "a b percent".

function add(name) { if (!(name in place)) { place[name] = ++n; label[n] = name } }
{
    add($1); add($2)
    near[place[$1], place[$2]] = near[place[$2], place[$1]] = $3
}

END {
    width = 50                                  # columns for 100 down to 0 percent
    for (i = 1; i <= n; i++) {
        alive[i] = size[i] = 1
        column[i] = 0
    }
    root = n
    for (joins = 1; joins < n; joins++) join_closest()
    place_rows(root)
    draw(root)
    for (r = 1; r <= rows; r++) {
        line = sprintf("%-12s", name_at[r])
        for (c = 0; c <= column[root]; c++) line = line ((r, c) in cell ? cell[r, c] : " ")
        sub(/ +$/, "", line)
        print line
    }
}

function join_closest(    i, j, k, a, b, best) {
    best = -1
    for (i = 1; i <= root; i++) if (i in alive)
        for (j = i + 1; j <= root; j++) if (j in alive && near[i, j] > best) {
            best = near[i, j]; a = i; b = j
        }
    delete alive[a]
    delete alive[b]
    root++
    for (k in alive)
        near[root, k] = near[k, root] = mean(size[a], near[a, k], size[b], near[b, k])
    alive[root] = 1
    size[root] = size[a] + size[b]
    first[root] = a
    second[root] = b
    column[root] = int(width * (100 - best) / 100)
    keep_right_of(a)
    keep_right_of(b)
}

function mean(weight_a, a, weight_b, b) {
    return (weight_a * a + weight_b * b) / (weight_a + weight_b)
}

# Joins at nearly the same percentage would be drawn over each other.
function keep_right_of(node) {
    if (column[root] < column[node] + 3) column[root] = column[node] + 3
}

# Texts get a row each, from top to bottom; a join sits between its two branches.
function place_rows(node) {
    if (node in label) {
        row[node] = ++rows
        name_at[rows] = label[node]
        return
    }
    place_rows(first[node])
    place_rows(second[node])
    row[node] = int((row[first[node]] + row[second[node]]) / 2)
}

function draw(node,    a, b, r, c) {
    if (node in label) return
    a = first[node]
    b = second[node]
    c = column[node]
    branch(row[a], column[a], c)
    branch(row[b], column[b], c)
    for (r = row[a] + 1; r < row[b]; r++) cell[r, c] = "│"
    cell[row[a], c] = "┐"
    cell[row[b], c] = "┘"
    cell[row[node], c] = node == root ? "┤" : row[node] == row[a] ? "┬" : "├"
    draw(a)
    draw(b)
}

function branch(r, from, to,    c) { for (c = from + (from > 0); c < to; c++) cell[r, c] = "─" }
