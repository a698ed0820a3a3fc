// y[r, o] = sum over i of x[r, i] * w[o, i], plus b[o] where there is a bias: torch's nn.Linear.
//
// A workgroup makes a tile of 16 * EACH rows and 64 columns: 16 values of i at a time, x and w of the tile are brought
// into the workgroup's memory and used by all its threads; a thread sums EACH (1 or 4) rows of 4 columns in f32, each row
// as one vector. FORMAT says how w is stored: 0 is f32, 1 f16, 2 bf16, the 16-bit ones two to a word.

struct Params {
    rows: u32,
    input: u32,
    out: u32,
    // Columns of y, and the first one that is written: a large w comes in pieces.
    y_width: u32,
    y_start: u32,
    has_bias: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<u32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

const STEP: u32 = 16u;
const COLUMNS: u32 = 64u;
const ROWS: u32 = 16u * EACH;
// Vectors of a line: one more than are used, so that neighbours in a column lie in different banks.
const LINE: u32 = 17u;

// By i, then by 4 columns of w, or by EACH rows of x.
var<workgroup> x_tile: array<vec4<f32>, 16 * 17>;
var<workgroup> w_tile: array<vec4<f32>, 16 * 17>;

// IEEE 754 binary16, by hand: unpack2x16float may flush what is subnormal in f16.
fn of_f16(half: u32) -> f32 {
    let sign = (half & 0x8000u) << 16u;
    let rest = half & 0x7fffu;
    if rest < 0x0400u {
        return bitcast<f32>(sign | bitcast<u32>(f32(rest) * 5.9604644775390625e-8));
    }
    return bitcast<f32>(sign | ((rest << 13u) + 0x38000000u));
}

fn weight(at: u32) -> f32 {
    if FORMAT == 0u {
        return bitcast<f32>(w[at]);
    }
    let half = (w[at / 2u] >> (16u * (at % 2u))) & 0xffffu;
    if FORMAT == 1u {
        return of_f16(half);
    }
    return bitcast<f32>(half << 16u);
}

// 0 beyond the matrix.
fn left(row: u32, i: u32) -> f32 {
    if row < p.rows && i < p.input {
        return x[row * p.input + i];
    }
    return 0.0;
}

fn right(column: u32, i: u32) -> f32 {
    if column < p.out && i < p.input {
        return weight(column * p.input + i);
    }
    return 0.0;
}

fn write(row: u32, column: u32, sums: vec4<f32>) {
    if row >= p.rows {
        return;
    }
    for (var o = 0u; o < 4u; o++) {
        if column + o < p.out {
            var sum = sums[o];
            if p.has_bias == 1u {
                sum += bias[column + o];
            }
            y[row * p.y_width + p.y_start + column + o] = sum;
        }
    }
}

@compute @workgroup_size(16, 16)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let first_row = group.y * ROWS;
    let first_column = group.x * COLUMNS;
    // What this thread brings: one i of 4 columns and of EACH rows.
    let i = thread % STEP;
    let line = thread / STEP;
    let row = first_row + line * EACH;
    let column = first_column + line * 4u;
    var sums_0 = vec4<f32>();
    var sums_1 = vec4<f32>();
    var sums_2 = vec4<f32>();
    var sums_3 = vec4<f32>();
    for (var start = 0u; start < p.input; start += STEP) {
        let at = start + i;
        var mine = vec4<f32>(left(row, at), 0.0, 0.0, 0.0);
        if EACH == 4u {
            mine = vec4<f32>(mine.x, left(row + 1u, at), left(row + 2u, at), left(row + 3u, at));
        }
        x_tile[i * LINE + line] = mine;
        w_tile[i * LINE + line] =
            vec4<f32>(right(column, at), right(column + 1u, at), right(column + 2u, at), right(column + 3u, at));
        workgroupBarrier();
        for (var j = 0u; j < STEP; j++) {
            let a = x_tile[j * LINE + local.y];
            let b = w_tile[j * LINE + local.x];
            sums_0 += a.x * b;
            if EACH == 4u {
                sums_1 += a.y * b;
                sums_2 += a.z * b;
                sums_3 += a.w * b;
            }
        }
        workgroupBarrier();
    }
    let my_row = first_row + local.y * EACH;
    let my_column = first_column + local.x * 4u;
    write(my_row, my_column, sums_0);
    if EACH == 4u {
        write(my_row + 1u, my_column, sums_1);
        write(my_row + 2u, my_column, sums_2);
        write(my_row + 3u, my_column, sums_3);
    }
}
