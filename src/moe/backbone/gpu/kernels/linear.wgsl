// y[r, o] = sum over i of x[r, i] * w[o, i], plus b[o] where there is a bias: torch's nn.Linear.
//
// A workgroup makes a tile of 16 * EACH rows and 64 columns: 16 values of i at a time, x and w of the tile are brought
// into the workgroup's memory and used by all its threads; a thread sums EACH * 4 results in f32. FORMAT says how w is
// stored: 0 is f32, 1 f16, 2 bf16, the 16-bit ones two to a word.

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

// One value more than a line has, so that neighbours in a column lie in different banks.
var<workgroup> x_tile: array<f32, 16 * (16 * EACH + 1)>;
var<workgroup> w_tile: array<f32, 16 * (64 + 1)>;

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

@compute @workgroup_size(16, 16)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let first_row = group.y * ROWS;
    let first_column = group.x * COLUMNS;
    var sums: array<f32, 4 * EACH>;
    for (var start = 0u; start < p.input; start += STEP) {
        for (var at = thread; at < STEP * ROWS; at += 256u) {
            let i = at % STEP;
            let r = at / STEP;
            var value = 0.0;
            if first_row + r < p.rows && start + i < p.input {
                value = x[(first_row + r) * p.input + start + i];
            }
            x_tile[i * (ROWS + 1u) + r] = value;
        }
        for (var at = thread; at < STEP * COLUMNS; at += 256u) {
            let i = at % STEP;
            let o = at / STEP;
            var value = 0.0;
            if first_column + o < p.out && start + i < p.input {
                value = weight((first_column + o) * p.input + start + i);
            }
            w_tile[i * (COLUMNS + 1u) + o] = value;
        }
        workgroupBarrier();
        for (var i = 0u; i < STEP; i++) {
            for (var r = 0u; r < EACH; r++) {
                let left = x_tile[i * (ROWS + 1u) + local.y + 16u * r];
                for (var o = 0u; o < 4u; o++) {
                    sums[r * 4u + o] += left * w_tile[i * (COLUMNS + 1u) + local.x + 16u * o];
                }
            }
        }
        workgroupBarrier();
    }
    for (var r = 0u; r < EACH; r++) {
        for (var o = 0u; o < 4u; o++) {
            let row = first_row + local.y + 16u * r;
            let column = first_column + local.x + 16u * o;
            if row < p.rows && column < p.out {
                var sum = sums[r * 4u + o];
                if p.has_bias == 1u {
                    sum += bias[column];
                }
                y[row * p.y_width + p.y_start + column] = sum;
            }
        }
    }
}
