# Pairs "a b percent" as a table, shaded by how much two texts have in common.

BEGIN { split("  ,░░,▒▒,▓▓,██", shade, ",") }
function add(name) { if (!(name in place)) { place[name] = ++n; names[n] = name } }
{ add($1); add($2); percent[$1, $2] = percent[$2, $1] = $3 }

END {
    printf "%13s", ""
    for (j = 1; j < n; j++) printf "%6d", j
    print ""
    for (i = 1; i <= n; i++) {
        printf "%2d %-10s", i, names[i]
        for (j = 1; j < i; j++) {
            p = percent[names[i], names[j]]
            printf " %s%3d", shade[1 + (p >= 15) + (p >= 30) + (p >= 50) + (p >= 80)], p + 0.5
        }
        print ""
    }
}
