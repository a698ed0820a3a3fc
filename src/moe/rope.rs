//! Rotary position embeddings: angles from a config in v4 or v5 notation. Numbers only, no tensors. By hand, because
//! candle-nn rotates by given angles and makes none.
//!
//! v4 keeps `rope_theta`, `rope_scaling` and `partial_rotary_factor` at the top level, v5 gathers them in
//! `rope_parameters`. Scaling formulas: transformers `modeling_rope_utils` (linear, dynamic, llama3, yarn,
//! longrope).

use std::f64::consts::PI;

use super::config::{Config, Nested};
use super::error::MoeResult;

/// How frequencies are changed for long contexts.
#[derive(Debug, Clone, PartialEq)]
enum Scaling {
    Default,
    Linear {
        factor: f64,
    },
    Dynamic {
        factor: f64,
    },
    Llama3 {
        factor: f64,
        low: f64,
        high: f64,
    },
    Yarn {
        factor: f64,
        beta_fast: f64,
        beta_slow: f64,
        truncate: bool,
    },
    LongRope {
        short: Vec<f64>,
        long: Vec<f64>,
        mscale: Option<(f64, f64)>,
    },
    /// Qwen v1: an alpha that grows with the length, powers of two.
    QwenNtk {
        seq_length: usize,
    },
}

/// The rotary part of a config.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    theta: f64,
    scaling: Scaling,
    /// Factor on cos and sin, where the config states it.
    attention_factor: Option<f64>,
    /// Share of the head that is rotated.
    pub partial_rotary_factor: f64,
    max_positions: f64,
    original_max_positions: f64,
    /// `mscale_all_dim` of yarn, which DeepSeek also puts on the attention scale.
    pub mscale_all_dim: f64,
}

/// cos and sin of `[S, dim / 2]` angles, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct RopeTable {
    pub cos: Vec<f32>,
    pub sin: Vec<f32>,
    /// Rotated dimensions of a head (even).
    pub dim: usize,
}

impl Rope {
    /// Reads the rotary keys; `partial` is the class default of `partial_rotary_factor`.
    ///
    /// # Errors
    /// A rope type that is not known here, missing parameters, numbers out of range.
    pub fn read(config: &Config, partial: f64) -> MoeResult<Self> {
        let v5 = config.object("rope_parameters")?;
        let scaling = match &v5 {
            Some(nested) => Some(nested.clone()),
            None => config.object("rope_scaling")?,
        };
        let from = |key: &str| v5.as_ref().map_or(Ok(None), |n| n.float(key));
        let theta = match from("rope_theta")? {
            Some(theta) => theta,
            None => config.float_or("rope_theta", config.float_or("rotary_emb_base", 10000.0)?)?,
        };
        let partial_rotary_factor = match from("partial_rotary_factor")? {
            Some(factor) => factor,
            None => config.float_or("partial_rotary_factor", config.float_or("rope_pct", partial)?)?,
        };
        if !(theta > 0.0 && partial_rotary_factor > 0.0 && partial_rotary_factor <= 1.0) {
            return Err(config.error("rope_theta", "or the partial rotary factor is out of range"));
        }
        let max_positions = config.opt_size("max_position_embeddings")?.unwrap_or(2048) as f64;
        let number = |key: &str| scaling.as_ref().map_or(Ok(None), |n| n.float(key));
        let original = match number("original_max_position_embeddings")? {
            Some(n) => n,
            None => config.float_or("original_max_position_embeddings", max_positions)?,
        };
        Ok(Self {
            theta,
            attention_factor: number("attention_factor")?,
            mscale_all_dim: number("mscale_all_dim")?.unwrap_or(0.0),
            scaling: match &scaling {
                Some(nested) => read_scaling(nested, max_positions, original)?,
                None => Scaling::Default,
            },
            partial_rotary_factor,
            max_positions,
            original_max_positions: original.max(1.0),
        }
        .with_yarn_mscale(number("mscale")?))
    }

    /// Qwen v1: `rotary_emb_base`, and dynamic NTK beyond `seq_length` unless switched off.
    pub fn read_qwen_v1(config: &Config) -> MoeResult<Self> {
        let mut rope = Self::read(config, config.float_or("rotary_pct", 1.0)?)?;
        if config.flag_or("use_dynamic_ntk", true)? {
            rope.scaling = Scaling::QwenNtk { seq_length: config.opt_size("seq_length")?.unwrap_or(2048) };
        }
        Ok(rope)
    }

    /// yarn's factor on cos and sin where the config does not state it: mscale terms, as in DeepSeek.
    fn with_yarn_mscale(mut self, mscale: Option<f64>) -> Self {
        if let (Scaling::Yarn { factor, .. }, None) = (&self.scaling, self.attention_factor) {
            let all = self.mscale_all_dim;
            self.attention_factor = Some(match mscale {
                Some(m) if m != 0.0 && all != 0.0 => yarn_mscale(*factor, m) / yarn_mscale(*factor, all),
                _ => yarn_mscale(*factor, 1.0),
            });
        }
        self
    }

    /// What DeepSeek multiplies the attention scale with: mscale(factor, mscale_all_dim)², for yarn.
    pub fn attention_scale_factor(&self) -> f64 {
        match self.scaling {
            Scaling::Yarn { factor, .. } if self.mscale_all_dim != 0.0 => {
                yarn_mscale(factor, self.mscale_all_dim).powi(2)
            }
            _ => 1.0,
        }
    }

    /// The angles of positions `0..seq_len` for `dim` rotated dimensions.
    pub fn table(&self, dim: usize, seq_len: usize) -> RopeTable {
        let dim = dim - dim % 2;
        let (inv_freq, factor) = self.inv_freq(dim, seq_len);
        let mut table = RopeTable { cos: Vec::with_capacity(seq_len * dim / 2), sin: Vec::new(), dim };
        table.sin.reserve(seq_len * dim / 2);
        for position in 0..seq_len {
            for &f in &inv_freq {
                let angle = position as f32 * f;
                table.cos.push((f64::from(angle).cos() * factor) as f32);
                table.sin.push((f64::from(angle).sin() * factor) as f32);
            }
        }
        table
    }

    /// Inverse frequencies `[dim / 2]` and the factor on cos and sin.
    fn inv_freq(&self, dim: usize, seq_len: usize) -> (Vec<f32>, f64) {
        let base = self.base(dim, seq_len);
        let plain: Vec<f64> =
            (0..dim / 2).map(|i| base.powf(-(2.0 * i as f64) / dim.max(1) as f64)).collect();
        let mut factor = self.attention_factor.unwrap_or(1.0);
        let scaled: Vec<f64> = match &self.scaling {
            Scaling::Default | Scaling::Dynamic { .. } | Scaling::QwenNtk { .. } => plain,
            Scaling::Linear { factor } => plain.iter().map(|f| f / factor).collect(),
            Scaling::Llama3 { factor, low, high } => {
                plain.iter().map(|&f| self.llama3(f, *factor, *low, *high)).collect()
            }
            Scaling::Yarn { factor, beta_fast, beta_slow, truncate } => {
                let (from, to) = self.yarn_range(dim, *beta_fast, *beta_slow, *truncate);
                let ramp = |i: usize| ((i as f64 - from) / (to - from)).clamp(0.0, 1.0);
                plain.iter().enumerate().map(|(i, f)| f / factor * ramp(i) + f * (1.0 - ramp(i))).collect()
            }
            Scaling::LongRope { short, long, mscale } => {
                let is_long = seq_len as f64 > self.original_max_positions;
                // PhiMoE's class in transformers 5 asks for the factors without a length, so it gets the
                // short ones at any length and only the mscale changes (4.x took the long ones too).
                let divisors = if is_long && mscale.is_none() { long } else { short };
                factor = match mscale {
                    Some((short, long)) => *if is_long { long } else { short },
                    None => self.longrope_factor(),
                };
                plain.iter().zip(divisors).map(|(f, d)| f / d).collect()
            }
        };
        (scaled.into_iter().map(|f| f as f32).collect(), factor)
    }

    /// theta, grown for lengths beyond the training length where the scaling says so.
    fn base(&self, dim: usize, seq_len: usize) -> f64 {
        let exponent = dim as f64 / (dim as f64 - 2.0).max(1.0);
        let seq_len = seq_len as f64;
        match self.scaling {
            Scaling::Dynamic { factor } => {
                let ratio = seq_len.max(self.max_positions) / self.max_positions;
                self.theta * (factor * ratio - (factor - 1.0)).powf(exponent)
            }
            Scaling::QwenNtk { seq_length } => {
                let context = (seq_len / seq_length as f64).log2() + 1.0;
                let alpha = (context.ceil().exp2() - 1.0).max(1.0);
                self.theta * alpha.powf(exponent)
            }
            _ => self.theta,
        }
    }

    fn llama3(&self, f: f64, factor: f64, low: f64, high: f64) -> f64 {
        let wavelength = 2.0 * PI / f;
        let original = self.original_max_positions;
        if wavelength > original / low {
            f / factor
        } else if wavelength < original / high {
            f
        } else {
            let smooth = (original / wavelength - low) / (high - low);
            (1.0 - smooth) * f / factor + smooth * f
        }
    }

    /// The dimensions between which yarn blends.
    fn yarn_range(&self, dim: usize, fast: f64, slow: f64, truncate: bool) -> (f64, f64) {
        let at = |rotations: f64| {
            dim as f64 * (self.original_max_positions / (rotations * 2.0 * PI)).ln() / (2.0 * self.theta.ln())
        };
        let (mut from, mut to) = (at(fast), at(slow));
        if truncate {
            (from, to) = (from.floor(), to.ceil());
        }
        let (from, to) = (from.max(0.0), to.min(dim as f64 - 1.0));
        (from, if from == to { to + 0.001 } else { to })
    }

    fn longrope_factor(&self) -> f64 {
        let factor = self.max_positions / self.original_max_positions;
        let implied = (1.0 + factor.max(1.0).ln() / self.original_max_positions.max(2.0).ln()).sqrt();
        self.attention_factor.unwrap_or(if factor <= 1.0 { 1.0 } else { implied })
    }
}

fn yarn_mscale(scale: f64, mscale: f64) -> f64 {
    if scale <= 1.0 { 1.0 } else { 0.1 * mscale * scale.ln() + 1.0 }
}

fn read_scaling(nested: &Nested<'_>, max_positions: f64, original: f64) -> MoeResult<Scaling> {
    let kind = match nested.text("rope_type")? {
        Some(kind) => kind,
        None => nested.text("type")?.unwrap_or("default"),
    };
    let factor = |default: Option<f64>| -> MoeResult<f64> {
        let given = nested.float("factor")?.or(default);
        given.filter(|f| *f > 0.0).ok_or_else(|| nested.error("factor", "is missing or not above 0"))
    };
    let required =
        |key: &str| -> MoeResult<f64> { nested.float(key)?.ok_or_else(|| nested.error(key, "is missing")) };
    Ok(match kind {
        "default" => Scaling::Default,
        "linear" => Scaling::Linear { factor: factor(None)? },
        "dynamic" => Scaling::Dynamic { factor: factor(None)? },
        "llama3" => Scaling::Llama3 {
            factor: factor(None)?,
            low: required("low_freq_factor")?,
            high: required("high_freq_factor")?,
        },
        "yarn" => Scaling::Yarn {
            factor: factor(Some(max_positions / original))?,
            beta_fast: nested.float("beta_fast")?.filter(|b| *b > 0.0).unwrap_or(32.0),
            beta_slow: nested.float("beta_slow")?.filter(|b| *b > 0.0).unwrap_or(1.0),
            truncate: nested.flag("truncate")?.unwrap_or(true),
        },
        "longrope" | "su" => Scaling::LongRope {
            short: nested
                .floats("short_factor")?
                .ok_or_else(|| nested.error("short_factor", "is missing"))?,
            long: nested.floats("long_factor")?.ok_or_else(|| nested.error("long_factor", "is missing"))?,
            mscale: nested.float("short_mscale")?.zip(nested.float("long_mscale")?),
        },
        other => {
            let known = "default, linear, dynamic, llama3, yarn, longrope";
            return Err(nested.error("rope_type", format!("{other:?} is not known here ({known})")));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rope(text: &str) -> MoeResult<Rope> {
        Rope::read(&Config::parse("config.json", text).unwrap(), 1.0)
    }

    #[test]
    fn both_notations_give_the_same_angles() {
        let v4 = rope(
            r#"{"rope_theta": 500.0, "partial_rotary_factor": 0.5, "rope_scaling": {"type": "linear", "factor": 2.0}}"#,
        );
        let v5 = rope(
            r#"{"rope_parameters": {"rope_theta": 500.0, "partial_rotary_factor": 0.5, "rope_type": "linear", "factor": 2.0}}"#,
        );
        assert_eq!(v4.unwrap(), v5.unwrap());
    }

    #[test]
    fn unknown_types_and_missing_factors_are_errors() {
        assert!(rope(r#"{"rope_scaling": {"type": "magic"}}"#).unwrap_err().to_string().contains("magic"));
        assert!(rope(r#"{"rope_scaling": {"type": "linear"}}"#).unwrap_err().to_string().contains("factor"));
        assert!(rope(r#"{"rope_theta": -3}"#).is_err());
    }

    #[test]
    fn qwen_alpha_grows_beyond_the_training_length() {
        let c = Config::parse("config.json", r#"{"seq_length": 8, "rotary_emb_base": 100.0}"#).unwrap();
        let rope = Rope::read_qwen_v1(&c).unwrap();
        assert_eq!(rope.base(4, 8), 100.0);
        assert_eq!(rope.base(4, 9), 100.0 * 3f64.powi(2));
    }
}
