// out = softmax(scale * q k^T) v over the keys that a query sees; Vaswani et al., "Attention Is All You Need" (2017).
// Query i sees the keys j <= i that are no padding, with `window` only j > i - window, with `chunk` only those of its own
// chunk (Llama 4). A sink (gpt-oss) is one more logit a head, which takes probability and gives no value. A query that
// sees no key gets the mean of all values, as torch gives it: the smallest f32 is added to every score alike; with a
// sink it gets nothing.
//
// A workgroup takes one query of one head and goes over its keys 64 at a time, with the running maximum and sum of
// Milakov and Gimelshein, "Online normalizer calculation for softmax" (2018): no matrix of scores is ever stored. A
// thread scores one key of the block, then sums every 64th dimension of the output.

struct Params {
    seq: u32,
    heads: u32,
    kv_heads: u32,
    dim: u32,
    value_dim: u32,
    // 0: none.
    window: u32,
    chunk: u32,
    scale: f32,
    has_sinks: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>;
@group(0) @binding(2) var<storage, read> k: array<f32>;
@group(0) @binding(3) var<storage, read> v: array<f32>;
// Real tokens of each sequence.
@group(0) @binding(4) var<storage, read> lens: array<u32>;
@group(0) @binding(5) var<storage, read> sinks: array<f32>;
@group(0) @binding(6) var<storage, read_write> out: array<f32>;

const SMALLEST: f32 = -3.0e38;

var<workgroup> query: array<f32, 1024>;
var<workgroup> part: array<f32, 64>;
var<workgroup> share: array<f32, 64>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = group.x;
    let head = group.y;
    let batch = group.z;
    let kv_head = head / (p.heads / p.kv_heads);
    let row = (batch * p.seq + i) * p.heads + head;
    for (var d = thread; d < p.dim; d += 64u) {
        query[d] = q[row * p.dim + d];
    }
    workgroupBarrier();

    var first = 0u;
    if p.window > 0u {
        first = i + 1u - min(p.window, i + 1u);
    }
    if p.chunk > 0u {
        first = max(first, i - i % p.chunk);
    }
    var end = min(i + 1u, lens[batch]);
    first = min(first, end);
    let blind = first == end;
    if blind {
        first = 0u;
        end = select(p.seq, 0u, p.has_sinks == 1u);
    }

    var largest = SMALLEST;
    var sum = 0.0;
    if p.has_sinks == 1u {
        largest = sinks[head];
        sum = 1.0;
    }
    var outputs: array<f32, 16>;
    for (var block = first; block < end; block += 64u) {
        let key = block + thread;
        var score = SMALLEST;
        if key < end {
            score = 0.0;
            if !blind {
                let at = ((batch * p.seq + key) * p.kv_heads + kv_head) * p.dim;
                for (var d = 0u; d < p.dim; d++) {
                    score += query[d] * k[at + d];
                }
                score *= p.scale;
            }
        }
        part[thread] = score;
        workgroupBarrier();
        for (var half = 32u; half > 0u; half /= 2u) {
            if thread < half {
                part[thread] = max(part[thread], part[thread + half]);
            }
            workgroupBarrier();
        }
        let larger = max(largest, part[0]);
        let shrink = exp(max(largest - larger, -100.0)) * select(1.0, 0.0, largest == SMALLEST);
        var e = 0.0;
        if key < end {
            e = exp(max(score - larger, -100.0));
        }
        share[thread] = e;
        workgroupBarrier();
        let keys = min(64u, end - block);
        var block_sum = 0.0;
        for (var j = 0u; j < keys; j++) {
            block_sum += share[j];
        }
        sum = sum * shrink + block_sum;
        for (var t = 0u; t * 64u + thread < p.value_dim; t++) {
            var value = outputs[t] * shrink;
            for (var j = 0u; j < keys; j++) {
                let at = ((batch * p.seq + block + j) * p.kv_heads + kv_head) * p.value_dim;
                value += share[j] * v[at + t * 64u + thread];
            }
            outputs[t] = value;
        }
        largest = larger;
        workgroupBarrier();
    }
    for (var t = 0u; t * 64u + thread < p.value_dim; t++) {
        out[row * p.value_dim + t * 64u + thread] = outputs[t] / sum;
    }
}
