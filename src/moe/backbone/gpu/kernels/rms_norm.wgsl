// y = x / sqrt(mean(x^2) + eps) * w, over every run of `width` values: Zhang and Sennrich, "Root Mean Square Layer
// Normalization" (2019), as the classes *RMSNorm of transformers compute it, in f32. Without w it is Llama4TextL2Norm.
//
// A workgroup takes a run: 64 partial sums, then their sum as a tree.

struct Params {
    runs: u32,
    width: u32,
    eps: f32,
    has_weight: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

var<workgroup> part: array<f32, 64>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let run = group.y * groups.x + group.x;
    let start = run * p.width;
    let here = run < p.runs;
    var sum = 0.0;
    if here {
        for (var i = thread; i < p.width; i += 64u) {
            sum += x[start + i] * x[start + i];
        }
    }
    part[thread] = sum;
    workgroupBarrier();
    for (var half = 32u; half > 0u; half /= 2u) {
        if thread < half {
            part[thread] += part[thread + half];
        }
        workgroupBarrier();
    }
    let scale = 1.0 / sqrt(part[0] / f32(p.width) + p.eps);
    if here {
        for (var i = thread; i < p.width; i += 64u) {
            var value = x[start + i] * scale;
            if p.has_weight == 1u {
                value *= w[i];
            }
            y[start + i] = value;
        }
    }
}
