// y[r, :] = x[rows[r], :] * weights[r]: the tokens of one expert, brought together for its products. Weighted where the
// weights belong to the input (Llama 4), else all weights are 1.

struct Params {
    count: u32,
    width: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> rows: array<u32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = (group.y * groups.x + group.x) * 256u + thread;
    if at < p.count {
        let r = at / p.width;
        y[at] = x[rows[r] * p.width + at % p.width] * weights[r];
    }
}
