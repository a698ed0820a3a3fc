//! Whether two devices compute the same: every operation of [`Compute`] on numbers that a seed makes. A GPU is held
//! against the CPU before it is used, and the tests hold each device against the CPU at other sizes.

use super::array::Array;
use super::compute::{Beside, Compute, ExpertRows, HeadPart, Scores};
use super::layers::{Activation, AttentionMask, Mlp, Norm, Pairing, Rotary, Weight, WeightForm};
use crate::moe::error::MoeResult;
use crate::moe::gating::Applied;
use crate::moe::rope::RopeTable;
use crate::moe::seed::Rng;

/// What the numbers are made for.
#[derive(Debug, Clone, Copy)]
pub(super) struct AgreementSizes {
    /// Positions of a sequence; there are two, the second is shorter.
    pub seq: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub dim: usize,
    pub value_dim: usize,
    /// Width of a row.
    pub width: usize,
    /// Width of a network's middle.
    pub inner: usize,
}

/// Every path of every kernel, in a moment.
pub(super) const SMALL: AgreementSizes =
    AgreementSizes { seq: 35, heads: 4, kv_heads: 2, dim: 6, value_dim: 5, width: 37, inner: 70 };

/// One operation.
type Case<'a> = (&'static str, Box<dyn Fn(&dyn Compute) -> MoeResult<Vec<f32>> + 'a>);

/// The first operation in which the devices differ by more than `tolerance` (relative above 1), in words.
///
/// # Errors
/// What a device refuses.
pub(super) fn disagreement(
    ours: &dyn Compute,
    theirs: &dyn Compute,
    sizes: &AgreementSizes,
    tolerance: f32,
) -> MoeResult<Option<String>> {
    for (name, run) in cases(sizes) {
        let (a, b) = (run(ours)?, run(theirs)?);
        let far = a.iter().zip(&b).position(|(a, b)| {
            let difference = (a - b).abs();
            difference.is_nan() || difference > tolerance * b.abs().max(1.0)
        });
        if let Some(at) = far.or((a.len() != b.len()).then_some(a.len().min(b.len()))) {
            let value = |values: &[f32]| values.get(at).copied().unwrap_or(f32::NAN);
            let (a, b, n) = (value(&a), value(&b), b.len());
            return Ok(Some(format!("{name} gives {a} where the CPU gives {b}, value {at} of {n}")));
        }
    }
    Ok(None)
}

/// Values within ±1.
fn values(n: usize, seed: u64) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    (0..n).map(|_| rng.uniform() * 2.0 - 1.0).collect()
}

fn cases(sizes: &AgreementSizes) -> Vec<Case<'_>> {
    let mut cases = products(sizes);
    cases.extend(norms(sizes));
    cases.extend(positions(sizes));
    cases.extend(attentions(sizes));
    cases.extend(values_alone(sizes));
    cases.extend(experts(sizes));
    cases
}

fn rows(on: &dyn Compute, sizes: &AgreementSizes, width: usize, seed: u64) -> MoeResult<Array> {
    on.array(values(2 * sizes.seq * width, seed), width)
}

/// Values that only f32, f16 or bf16 holds.
fn stored_as(name: &str, n: usize, seed: u64) -> Vec<f32> {
    let values = values(n, seed).into_iter();
    match name {
        "product with f16" => {
            // Every seventh is one of f16's subnormal numbers.
            let of = |(at, v): (usize, f32)| {
                if at % 7 == 0 { (v * 9.0).round() * 5.960_464_5e-8 } else { (v * 1023.0).round() / 1024.0 }
            };
            values.enumerate().map(of).collect()
        }
        "product with bf16" => values.map(|v| f32::from_bits(v.to_bits() & 0xffff_0000)).collect(),
        _ => values.collect(),
    }
}

fn weight(name: &str, out: usize, input: usize, form: WeightForm, bias: bool) -> Weight {
    let bias = bias.then(|| values(out, 8));
    Weight { values: stored_as(name, out * input, 7), input, out, form, bias }
}

fn products(sizes: &AgreementSizes) -> Vec<Case<'_>> {
    let (width, inner) = (sizes.width, sizes.inner);
    let case = move |name: &'static str, form: WeightForm, bias: bool| -> Case<'_> {
        let run = move |on: &dyn Compute| {
            let linear = on.store(weight(name, inner, width, form, bias))?;
            let x = rows(on, sizes, width, 1)?;
            let few = on.gather(&x, &[1, 0])?;
            let mut all = on.values(&on.linear(&x, &linear)?)?;
            all.extend(on.values(&on.linear(&few, &linear)?)?);
            Ok(all)
        };
        (name, Box::new(run))
    };
    vec![
        case("product", WeightForm::OutIn, false),
        case("product and bias", WeightForm::OutIn, true),
        case("product with a turned weight", WeightForm::InOut, true),
        case("product used once", WeightForm::OutInOnce, false),
        case("product with f16", WeightForm::OutIn, false),
        case("product with bf16", WeightForm::OutIn, true),
    ]
}

fn norms(sizes: &AgreementSizes) -> Vec<Case<'_>> {
    let width = sizes.width;
    let norms: [(&'static str, Norm); 3] = [
        ("RMS norm", Norm::Rms { weight: values(width, 2), eps: 1e-5 }),
        ("RMS norm without weight", Norm::L2 { width, eps: 1e-6 }),
        ("layer norm", Norm::Layer { weight: values(width, 2), bias: values(width, 3), eps: 1e-5 }),
    ];
    let case = |(name, norm): (&'static str, Norm)| -> Case<'_> {
        // Two runs a row.
        (name, Box::new(move |on| on.values(&on.norm(&rows(on, sizes, 2 * width, 1)?, &norm)?)))
    };
    norms.into_iter().map(case).collect()
}

fn positions(sizes: &AgreementSizes) -> Vec<Case<'_>> {
    let (seq, heads) = (sizes.seq, sizes.heads);
    let case = move |name: &'static str, pairing: Pairing, start: usize| -> Case<'_> {
        let run = move |on: &dyn Compute| {
            let dim = (sizes.dim - start) / 2 * 2;
            let angle = |at: usize| (at as f32 * 0.37).sin_cos();
            let (sin, cos) = (0..seq * dim / 2).map(angle).unzip();
            let rotary = Rotary::new(RopeTable { cos, sin, dim }, pairing, seq);
            let x = rows(on, sizes, heads * sizes.dim, 1)?;
            on.values(&on.rotate(x, heads, start, &rotary)?)
        };
        (name, Box::new(run))
    };
    let scaled = move |on: &dyn Compute| {
        on.values(&on.scale_positions(rows(on, sizes, sizes.width, 1)?, values(seq, 2))?)
    };
    vec![
        case("rotation of halves", Pairing::Halves, 0),
        case("rotation of neighbours", Pairing::Neighbours, 0),
        case("rotation of a head's end", Pairing::Halves, 2.min(sizes.dim)),
        ("scale by position", Box::new(scaled)),
    ]
}

fn attentions(sizes: &AgreementSizes) -> Vec<Case<'_>> {
    let case = move |name: &'static str, visible: AttentionMask, sinks: bool, heads: usize| -> Case<'_> {
        let run = move |on: &dyn Compute| {
            // Of the second sequence's last queries none sees a key through a small window.
            let lens = [sizes.seq, sizes.seq.div_ceil(3)];
            let sinks = sinks.then(|| values(heads, 5));
            on.values(&on.attend(&Scores {
                visible: &visible,
                scale: 0.7,
                sinks: sinks.as_deref(),
                lens: &lens,
                seq: sizes.seq,
                heads,
                kv_heads: sizes.kv_heads,
                q: rows(on, sizes, heads * sizes.dim, 1)?,
                k: rows(on, sizes, sizes.kv_heads * sizes.dim, 2)?,
                v: rows(on, sizes, sizes.kv_heads * sizes.value_dim, 3)?,
            })?)
        };
        (name, Box::new(run))
    };
    let mask = |window, chunk| AttentionMask { window, chunk };
    let small = (sizes.seq / 5).max(1);
    let regroup = move |on: &dyn Compute| {
        let (heads, dim) = (sizes.heads, sizes.dim);
        let (x, shared) = (rows(on, sizes, heads * dim, 1)?, rows(on, sizes, 3, 2)?);
        let part = HeadPart { array: &x, heads, start: 1, width: dim - 1 };
        on.values(&on.regroup(heads, &[part, HeadPart { array: &shared, heads: 1, start: 0, width: 3 }])?)
    };
    vec![
        case("attention", mask(None, None), false, sizes.heads),
        case("attention with one head a key head", mask(None, None), false, sizes.kv_heads),
        case("attention with a window", mask(Some(small), None), false, sizes.heads),
        case("attention with chunks", mask(None, Some(small)), false, sizes.heads),
        case("attention with sinks", mask(None, None), true, sizes.heads),
        case("attention with sinks and a window", mask(Some(small), None), true, sizes.heads),
        ("regrouping of heads", Box::new(regroup)),
    ]
}

fn values_alone(sizes: &AgreementSizes) -> Vec<Case<'_>> {
    let width = sizes.width;
    // Wide enough for every bend of an activation.
    let wide = move |on: &dyn Compute, seed: u64| {
        on.array(values(2 * sizes.seq * width, seed).into_iter().map(|v| v * 12.0).collect(), width)
    };
    let mut cases: Vec<Case<'_>> = Vec::new();
    for (alone, gated, activation) in [
        ("silu", "gated silu", Activation::Silu),
        ("gelu_new", "gated gelu_new", Activation::GeluTanh),
        ("gelu", "gated gelu", Activation::Gelu),
        ("relu", "gated relu", Activation::Relu),
    ] {
        cases.push((alone, Box::new(move |on| on.values(&on.activate(wide(on, 1)?, activation)?))));
        cases.push((
            gated,
            Box::new(move |on| on.values(&on.gated(wide(on, 1)?, &wide(on, 2)?, activation)?)),
        ));
    }
    let clamped = Activation::ClampedSwiGlu { alpha: 1.702, limit: 7.0 };
    cases.push((
        "clamped swiglu",
        Box::new(move |on| on.values(&on.gated(wide(on, 1)?, &wide(on, 2)?, clamped)?)),
    ));
    cases.push(("clamp", Box::new(move |on| on.values(&on.clamp(wide(on, 1)?, 2.5)?))));
    cases.push(("sum", Box::new(move |on| on.values(&on.add(wide(on, 1)?, 1.0, &wide(on, 2)?)?))));
    cases.push(("scaled sum", Box::new(move |on| on.values(&on.add(wide(on, 1)?, 0.22, &wide(on, 2)?)?))));
    let join = move |on: &dyn Compute, columns: usize| {
        let z = rows(on, sizes, columns.max(1), 3)?;
        let how = match columns {
            1 => Beside::Gated(&z),
            2 => Beside::Softmax(&z),
            _ => Beside::Sum,
        };
        on.values(&on.join(wide(on, 1)?, &wide(on, 2)?, &how)?)
    };
    cases.push(("shared expert", Box::new(move |on| join(on, 0))));
    cases.push(("gated shared expert", Box::new(move |on| join(on, 1))));
    cases.push(("residual expert", Box::new(move |on| join(on, 2))));
    cases
}

fn experts(sizes: &AgreementSizes) -> Vec<Case<'_>> {
    let (width, inner) = (sizes.width, sizes.inner);
    let case = move |name: &'static str, gated: bool, applied: Applied| -> Case<'_> {
        let run = move |on: &dyn Compute| {
            let store = |out, input, seed| {
                let scaled = values(out * input, seed).into_iter().map(|v| v / (input as f32).sqrt());
                let (values, form) = (scaled.collect(), WeightForm::OutIn);
                on.store(Weight { values, input, out, form, bias: Some(self::values(out, seed)) })
            };
            let mlp = |seed: u64| -> MoeResult<Mlp> {
                let (down, activation) = (store(width, inner, seed)?, Activation::Silu);
                Ok(match gated {
                    true => Mlp::Gated {
                        gate: store(inner, width, seed + 1)?,
                        up: store(inner, width, seed + 2)?,
                        down,
                        activation,
                    },
                    false => Mlp::Plain { fc1: store(inner, width, seed + 1)?, fc2: down, activation },
                })
            };
            let networks = [mlp(20)?, mlp(30)?, mlp(40)?];
            let tokens = 2 * sizes.seq as u32;
            let groups: Vec<ExpertRows<'_>> = networks
                .iter()
                .enumerate()
                .map(|(e, mlp)| {
                    let mine = (0..tokens).filter(|t| !(*t as usize + e).is_multiple_of(3));
                    ExpertRows { mlp, rows: mine.map(|t| (t, 1.0 / (t + e as u32 + 1) as f32)).collect() }
                })
                .collect();
            on.values(&on.experts(&rows(on, sizes, width, 1)?, &groups, applied)?)
        };
        (name, Box::new(run))
    };
    vec![
        case("experts", true, Applied::Output),
        case("experts without a gate", false, Applied::Output),
        case("experts with weighted input", true, Applied::Input),
    ]
}
