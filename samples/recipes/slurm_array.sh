#!/usr/bin/env bash
# A scan as a Slurm array: every task takes its share of the records, the last step adds the reports up.
#
#   job=$(sbatch --parsable --array=1-8 slurm_array.sh OUT -t org/model data/)
#   sbatch --dependency=afterok:$job --wrap 'maskscope scan merge OUT/*.json --format html > OUT/report.html; [ $? -le 1 ]'
#
# OUT is a folder that all machines see; what follows it goes to `maskscope scan` as it is. A task that is killed or
# requeued goes on where it was. MASKSCOPE names the program where it is not on the path.
#SBATCH --job-name=maskscope-scan
#SBATCH --array=1-8
#SBATCH --cpus-per-task=4
#SBATCH --mem=2G
#SBATCH --requeue
set -euo pipefail

out=$1
shift
shard=${SLURM_ARRAY_TASK_ID:?run this with sbatch --array=1-N}
shards=${SLURM_ARRAY_TASK_COUNT:?}
mkdir -p "$out"

status=0
"${MASKSCOPE:-maskscope}" scan "$@" --shard "$shard/$shards" --state "$out/$shard.state" --resume --format json \
    > "$out/$shard.new" || status=$?
# 1 says that samples are lost: that is a result.
[ "$status" -le 1 ] || exit "$status"
# A task that was interrupted leaves its state: what it printed is no report of the whole share.
[ ! -e "$out/$shard.state" ] || exit 75
mv "$out/$shard.new" "$out/$shard.json"
