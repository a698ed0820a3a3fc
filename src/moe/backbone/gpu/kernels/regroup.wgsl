// Copies a piece of every head of x to its place in the heads of y: DeepSeek's latent attention (DeepSeek-V2, 2024) cuts
// heads in a rotated and an unrotated part and shares one of them among all heads (x_heads is 1 then).

struct Params {
    count: u32,
    heads: u32,
    width: u32,
    x_heads: u32,
    x_dim: u32,
    x_start: u32,
    y_dim: u32,
    y_start: u32,
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
    if at >= p.count {
        return;
    }
    let i = at % p.width;
    let head = (at / p.width) % p.heads;
    let row = at / (p.width * p.heads);
    let x_head = select(head, 0u, p.x_heads == 1u);
    y[(row * p.heads + head) * p.y_dim + p.y_start + i] =
        x[(row * p.x_heads + x_head) * p.x_dim + p.x_start + i];
}
