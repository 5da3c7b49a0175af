#!/bin/sh
# Makes a small root file system for each tool, out of the installed programs and the libraries
# they need: roots.sh [FOLDER]. What a real site has as images is made here in a second.
set -eu
roots=${1:-$(dirname "$0")/roots}

# root NAME PROGRAM…
root() {
    root=$roots/$1
    shift
    rm -rf "$root"
    mkdir -p "$root/usr/bin" "$root/usr/lib" "$root/usr/lib64"
    for folder in bin lib lib64; do ln -s "usr/$folder" "$root/$folder"; done
    for program; do
        path=$(command -v "$program")
        cp -L "$path" "$root/usr/bin/$program"
        ldd "$path" | grep -o '/[^ )]*' | while read -r library; do
            mkdir -p "$root$(dirname "$library")"
            cp -L "$library" "$root$library"
        done
    done
}

base="sh cat mkdir gzip awk grep"
root base $base
root samtools $base samtools
root bcftools $base bcftools
root both $base samtools bcftools
root bowtie2 $base bowtie2-align-s bowtie2-build-s

# What the scripts of these names do, in Perl and Python, is to call these programs.
for name in bowtie2:bowtie2-align-s bowtie2-build:bowtie2-build-s; do
    script=$roots/bowtie2/usr/bin/${name%:*}
    printf '#!/bin/sh\nexec %s --wrapper basic-0 "$@"\n' "${name#*:}" > "$script"
    chmod +x "$script"
done
