// y = y * multiplier + x, in place: a residual connection (He et al., 2015); the multiplier is 1 but for MiniCPM and
// Granite.

struct Params {
    count: u32,
    multiplier: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = (group.y * groups.x + group.x) * 256u + thread;
    if at < p.count {
        y[at] = y[at] * p.multiplier + x[at];
    }
}
