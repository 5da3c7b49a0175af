# How much text two licences have in common: the longest sequence of words that stands in both,
# in the same order, gaps allowed, as a share of their mean length in percent.
#
# Reads the vocabulary (most frequent word first), the words of one licence, and the words of
# all; compares the one with those that come after it, so that each pair is compared once.

FNR == 1 { file++; name = FILENAME; sub(/.*\//, "", name) }
file == 1 { number[$1] = FNR; next }            # a word's number is its place by frequency
number[$1] <= common { next }                   # "the", "of": in every text, and so no likeness
file == 2 { own = name; a[++n] = number[$1]; next }
name <= own { next }
!(name in length_of) { names[++others] = name }
{ text[name, ++length_of[name]] = number[$1] }

END {
    for (k = 1; k <= others; k++) {
        name = names[k]
        m = length_of[name]
        printf "%s %s %.1f\n", own, name, 200 * in_common(name, m) / (n + m)
    }
}

# The textbook table of longest common subsequences, one row of it at a time.
function in_common(name, m,    i, j, word, row, b, up, corner, left) {
    for (j = 1; j <= m; j++) {
        b[j] = text[name, j]
        row[j] = 0
    }
    for (i = 1; i <= n; i++) {
        word = a[i]
        corner = left = 0
        for (j = 1; j <= m; j++) {
            up = row[j]
            if (word == b[j])
                left = corner + 1
            else if (up > left)
                left = up
            row[j] = left
            corner = up
        }
    }
    return row[m] + 0
}
