#!/bin/sh
# Whether two VCF files have the same records: check.sh A.vcf B.vcf
# Headers may differ, for they hold dates and command lines. Exit code 0: the same; 1: not; 2: no answer.
set -eu

if [ $# -ne 2 ]; then
    echo "usage: check.sh A.vcf B.vcf" >&2
    exit 2
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for side in 1 2; do
    # A file without any record shows nothing, not even that it is the same.
    if ! grep -v '^#' "$1" > "$folder/$side"; then
        echo "check.sh: no records in $1" >&2
        exit 2
    fi
    shift
done
diff "$folder/1" "$folder/2" || exit 1
echo "$(wc -l < "$folder/1" | tr -d ' ') records, all the same"
