// gate = act(gate) * up, in place: the gated networks of Shazeer, "GLU Variants Improve Transformer" (2020); the
// activations are in activations.wgsl. KIND 4 is gpt-oss's (GptOssExperts of transformers): with gate at most `limit` and
// up within +-limit, (up + 1) * gate * sigmoid(alpha * gate).

struct Params {
    count: u32,
    alpha: f32,
    limit: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> up: array<f32>;
@group(0) @binding(2) var<storage, read_write> gate: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = (group.y * groups.x + group.x) * 256u + thread;
    if at >= p.count {
        return;
    }
    if KIND == 4u {
        let g = min(gate[at], p.limit);
        gate[at] = (clamp(up[at], -p.limit, p.limit) + 1.0) * (g * sigmoid(p.alpha * g));
    } else {
        gate[at] = act(gate[at]) * up[at];
    }
}
