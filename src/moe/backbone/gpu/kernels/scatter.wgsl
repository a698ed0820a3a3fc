// sum[rows[r], :] = sum[rows[r], :] + weights[r] * y[r, :]: the output of one expert goes back to its tokens. A token has
// an expert at most once, so no two threads write one place; the experts follow one another.

struct Params {
    count: u32,
    width: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> rows: array<u32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> sum: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = (group.y * groups.x + group.x) * 256u + thread;
    if at < p.count {
        let r = at / p.width;
        let to = rows[r] * p.width + at % p.width;
        sum[to] = sum[to] + weights[r] * y[at];
    }
}
