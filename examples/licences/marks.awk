# The five words that mark a text: frequent in it, in few of the others (tf-idf, squared).
# Reads the vocabulary (word, occurrences, number of texts) and the words of one licence.

FNR == 1 { file++ }
file == 1 {
    in_texts[$1] = $3
    if ($3 > texts) texts = $3                  # "the" is in all of them
    next
}
{ count[$1]++ }

END {
    name = FILENAME
    sub(/.*\//, "", name)
    printf "%-12s", name
    for (k = 1; k <= 5; k++) {
        best = ""
        for (word in count) {
            weight = count[word] * log(texts / in_texts[word]) ^ 2
            if (best == "" || weight > top || (weight == top && word < best)) {
                best = word
                top = weight
            }
        }
        printf "%s%s", best, k < 5 ? ", " : "\n"
        delete count[best]
    }
}
