#!/usr/bin/env bash
# Doctor and scan for action.yml. Status 1 of maskscope is a finding and is handed on as an output; status 2 ends the step.
set -uo pipefail

options=()
# xargs knows quotes and expands nothing; a line each, as the bash of macOS has no mapfile.
while IFS= read -r option; do
    [ -n "$option" ] && options+=("$option")
done < <(xargs -n1 <<<"$OPTIONS")

found=false
run() { # run FILE COMMAND...: its results to a file
    "${@:2}" >"$1"
    case $? in
        0) ;;
        1) found=true ;;
        *) exit 2 ;;
    esac
}

run "$SARIF" maskscope doctor -t "$TOKENIZER" -d "$DATA" ${options[@]+"${options[@]}"} --format sarif
report=$(mktemp)
run "$report" maskscope scan "$DATA" -t "$TOKENIZER" ${options[@]+"${options[@]}"}
{
    printf '### maskscope: %s\n\n```text\n' "$DATA"
    cat "$report"
    printf '```\n'
} >>"$GITHUB_STEP_SUMMARY"
cat "$report"
echo "found=$found" >>"$GITHUB_OUTPUT"
