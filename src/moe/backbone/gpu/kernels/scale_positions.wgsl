// x[r, i] = x[r, i] * f[r mod seq], in place: queries scaled by their position, log-n of Qwen v1 and the attention
// temperature of Llama 4. The factors come from the host.

struct Params {
    count: u32,
    width: u32,
    seq: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> factors: array<f32>;
@group(0) @binding(2) var<storage, read_write> x: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = (group.y * groups.x + group.x) * 256u + thread;
    if at < p.count {
        x[at] = x[at] * factors[(at / p.width) % p.seq];
    }
}
