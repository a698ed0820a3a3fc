// Joins the experts' output with that of a network beside them, in place. HOW chooses:
//   0 routed + beside: shared experts of DeepSeek and Llama 4
//   1 routed + sigmoid(z) * beside, z [T, 1]: Qwen2MoeSparseMoeBlock of transformers
//   2 c0 * routed + c1 * beside, c = softmax of z [T, 2]: residual MoE of DeepSpeed (Rajbhandari et al., 2022)

struct Params {
    count: u32,
    width: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> beside: array<f32>;
@group(0) @binding(2) var<storage, read> z: array<f32>;
@group(0) @binding(3) var<storage, read_write> routed: array<f32>;

fn sigmoid(x: f32) -> f32 {
    return 1.0 / (1.0 + exp(clamp(-x, -87.0, 87.0)));
}

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
    let row = at / p.width;
    if HOW == 0u {
        routed[at] = routed[at] + beside[at];
    } else if HOW == 1u {
        routed[at] = routed[at] + sigmoid(z[row]) * beside[at];
    } else {
        // Softmax of two logits is the sigmoid of their difference.
        let d = z[row * 2u] - z[row * 2u + 1u];
        routed[at] = sigmoid(d) * routed[at] + sigmoid(-d) * beside[at];
    }
}
