// x = min(max(x, -limit), limit), in place: clip_qkv of OLMoE (OlmoeAttention of transformers).

struct Params {
    count: u32,
    limit: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = (group.y * groups.x + group.x) * 256u + thread;
    if at < p.count {
        x[at] = clamp(x[at], -p.limit, p.limit);
    }
}
