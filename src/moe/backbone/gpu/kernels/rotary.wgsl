// Turns pairs of values of every head by the angles of the row's position, in place:
// (a, b) becomes (a cos - b sin, b cos + a sin). Su et al., "RoFormer" (2021). The pairs are i and i + dim/2
// (rotate_half of transformers) or 2i and 2i + 1 (DeepSeek, Llama 4). The angles come from the host, where the scalings
// (linear, NTK, yarn, llama3, longrope) are.

struct Params {
    rows: u32,
    seq: u32,
    heads: u32,
    head_dim: u32,
    // First value of a head that turns.
    start: u32,
    half: u32,
    neighbours: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
// Cosines [seq, half], then sines.
@group(0) @binding(1) var<storage, read> angles: array<f32>;
@group(0) @binding(2) var<storage, read_write> x: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = (group.y * groups.x + group.x) * 256u + thread;
    if at >= p.rows * p.heads * p.half {
        return;
    }
    let i = at % p.half;
    let head = at / p.half;
    let position = (head / p.heads) % p.seq;
    let c = angles[position * p.half + i];
    let s = angles[(p.seq + position) * p.half + i];
    let first = head * p.head_dim + p.start;
    var a_at = first + i;
    var b_at = first + p.half + i;
    if p.neighbours == 1u {
        a_at = first + 2u * i;
        b_at = a_at + 1u;
    }
    let a = x[a_at];
    let b = x[b_at];
    x[a_at] = a * c - b * s;
    x[b_at] = b * c + a * s;
}
