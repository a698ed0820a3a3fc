#!/usr/bin/env bash
# A scan with GNU parallel, on this machine or on others: a share of the records each, then the sum.
#
#   gnu_parallel.sh 8 OUT -t org/model data/                              # eight shares, as many at once as there are cores
#   PARALLEL='--sshlogin a,b --wd . --jobs 1' gnu_parallel.sh 2 OUT ...   # on machines a and b, which see the same files
#
# MASKSCOPE names the program where it is not on the path.
set -euo pipefail

shards=$1 out=$2
shift 2
mkdir -p "$out"
program=${MASKSCOPE:-maskscope}

share() {
    local status=0
    "$1" scan "${@:4}" --shard "$2" --format json > "$3.new" || status=$?
    # 1 says that samples are lost: that is a result.
    [ "$status" -le 1 ] || return "$status"
    mv "$3.new" "$3"
}
export -f share
parallel --halt now,fail=1 --quote share "$program" "{}/$shards" "$out/{}.json" "$@" ::: $(seq "$shards")
"$program" scan merge "$out"/*.json --format json
