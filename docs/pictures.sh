#!/bin/sh
# Draws the pictures of the documentation with the program itself: docs/pictures.sh [FOLDER]
# MASKSCOPE names the program [default: the one in PATH]. tests/docs.rs draws them again and compares.
set -eu
cd "$(dirname "$0")/.."
maskscope=${MASKSCOPE:-maskscope}
out=${1:-docs/pictures}
mkdir -p "$out"
# Pictures have colours, whatever the terminal of the caller wants.
unset NO_COLOR

# The style sheet keeps white space, and a run of blanks without a background shows nothing.
frame() {
    "$maskscope" frame --format svg "$@" | sed -e 's/ xml:space="preserve"//' -e '/<text [^>]*> *<\/text>/d'
}

# picture NAME OPTIONS...: one frame.
picture() {
    name=$1
    shift
    frame "$@" >"$out/$name.svg"
}

# One frame of the recording with the line under it; the first stays visible where nothing moves.
recorded() { # recorded NUMBER CAPTION OPTIONS...
    number=$1
    caption=$2
    shift 2
    printf '<g class="frame" style="animation-delay:%ss">\n' "$((number * seconds))"
    frame --size "$size" "$@" | sed -e '1,/^<rect width="100%"/d' -e '/^<\/svg>/d'
    printf '<text x="12" y="%s" fill="#e69f00">%s</text>\n</g>\n' "$((height - 14))" "$caption"
}

# Four frames, one after another, in one file without a script.
recording() {
    size=90x26
    seconds=4
    width=780
    height=522
    cat <<END
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 $width $height" width="$width" height="$height" font-family="ui-monospace, Menlo, Consolas, monospace" font-size="14">
<title>maskscope: four screens of its demo</title>
<style>
text { white-space: pre; }
.frame { visibility: hidden; animation: show $((4 * seconds))s steps(1) infinite; }
.frame:first-of-type { visibility: visible; }
@keyframes show { 0% { visibility: visible; } 25% { visibility: hidden; } 100% { visibility: hidden; } }
@media (prefers-reduced-motion: reduce) { .frame { animation: none; } }
</style>
<rect width="100%" height="100%" fill="#14171b"/>
END
    recorded 0 "The demo: phi-2 with pad = unk. Every answer is discarded."
    recorded 1 "f applies the suggested fix: answers are supervised again." --keys f
    recorded 2 "2 lays each round as it was counted over the prompt." --screen lengths
    recorded 3 "6 runs every check; a fix is shown with what it did to the samples." --screen doctor
    echo '</svg>'
}

recording >"$out/demo.svg"
picture labels --size 100x28 --keys f
picture lengths --size 100x28 --screen lengths
picture doctor --size 100x28 --screen doctor
picture onboard --size 100x28 --screen onboard
picture experts --size 120x34 --screen experts --keys f
picture strategies --size 100x28 --screen strategies -t sample:phi-2 --loader fast --unk '<|im_end|>' \
    --template sample:chatml-think --preprocess hf_generation
