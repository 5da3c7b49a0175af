# What environment modules are on a cluster, in small: `module load NAME` puts a tool into reach.
module() {
    [ "$1" = load ] && [ -d "$FORESHARD_PROJECT/roots/$2/usr/bin" ] || {
        echo "module: cannot $*" >&2
        return 1
    }
    PATH=$FORESHARD_PROJECT/roots/$2/usr/bin:$PATH
}
