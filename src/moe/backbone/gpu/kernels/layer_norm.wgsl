// y = (x - mean) / sqrt(var + eps) * w + b over every run of `width` values, with the variance of all its values: Ba,
// Kiros and Hinton, "Layer Normalization" (2016), torch's nn.LayerNorm.
//
// A workgroup takes a run. The variance is summed from the differences, in a second pass: the mean of squares less the
// squared mean would lose it to rounding.

struct Params {
    runs: u32,
    width: u32,
    eps: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
// Weights, then biases.
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

var<workgroup> part: array<f32, 64>;

fn total(thread: u32, value: f32) -> f32 {
    workgroupBarrier();
    part[thread] = value;
    workgroupBarrier();
    for (var half = 32u; half > 0u; half /= 2u) {
        if thread < half {
            part[thread] += part[thread + half];
        }
        workgroupBarrier();
    }
    return part[0];
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let run = group.y * groups.x + group.x;
    let start = run * p.width;
    // A group beyond the last run goes along, for the barriers, over no value.
    let end = select(0u, p.width, run < p.runs);
    var sum = 0.0;
    for (var i = thread; i < end; i += 64u) {
        sum += x[start + i];
    }
    let mean = total(thread, sum) / f32(p.width);
    var squares = 0.0;
    for (var i = thread; i < end; i += 64u) {
        let d = x[start + i] - mean;
        squares += d * d;
    }
    let scale = 1.0 / sqrt(total(thread, squares) / f32(p.width) + p.eps);
    for (var i = thread; i < end; i += 64u) {
        y[start + i] = (x[start + i] - mean) * scale * w[i] + w[p.width + i];
    }
}
