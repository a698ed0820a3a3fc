//! MoE-LLaVA's `config.moe`: which layers of a dense model become MoE layers, and how their gates work.

use serde_json::{Value, json};

use super::config::Config;
use super::error::{MoeError, MoeResult};
use super::gating::GateConfig;

/// `moe_mode`: the layers that become MoE layers (0-based, n layers in all).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MoeMode {
    /// 0..n/2-1.
    FirstHalf,
    /// n/2..n-1.
    SecondHalf,
    /// 0, 2, 4, …
    Sparse,
    /// All.
    Dense,
    /// `moe_layers_idx` as given: order kept, in range, no repeats.
    Custom(Vec<usize>),
}

impl MoeMode {
    /// Parses the command-line word; `layers` (from `--moe-layers`) wins and makes it custom, as in
    /// `initialize_moe_modules`.
    pub fn parse(mode: &str, layers: Option<Vec<usize>>) -> MoeResult<Self> {
        Ok(match (mode, layers) {
            (_, Some(layers)) => Self::Custom(layers),
            ("first_half", None) => Self::FirstHalf,
            ("second_half", None) => Self::SecondHalf,
            ("sparse", None) => Self::Sparse,
            ("dense", None) => Self::Dense,
            ("custom", None) => {
                return Err(MoeError::Request(
                    "moe mode custom needs a list of layers (--moe-layers)".into(),
                ));
            }
            (other, None) => {
                let known = "first_half, second_half, sparse, dense, custom";
                return Err(MoeError::Request(format!("unknown moe mode {other:?}; known are {known}")));
            }
        })
    }

    /// The name stored in `config.moe.moe_mode`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::FirstHalf => "first_half",
            Self::SecondHalf => "second_half",
            Self::Sparse => "sparse",
            Self::Dense => "dense",
            Self::Custom(_) => "custom",
        }
    }

    /// The chosen layers of a model with `n` layers.
    ///
    /// # Errors
    /// A custom list with an index beyond n-1, a repeat, or no entry.
    pub fn layers(&self, n: usize) -> MoeResult<Vec<usize>> {
        let layers: Vec<usize> = match self {
            Self::FirstHalf => (0..n / 2).collect(),
            Self::SecondHalf => (n / 2..n).collect(),
            Self::Sparse => (0..n).step_by(2).collect(),
            Self::Dense => (0..n).collect(),
            Self::Custom(list) => list.clone(),
        };
        for (at, &layer) in layers.iter().enumerate() {
            if layer >= n {
                return Err(MoeError::Request(format!(
                    "moe layer {layer}: the model has layers 0..={}",
                    n - 1
                )));
            }
            if layers.iter().take(at).any(|&l| l == layer) {
                return Err(MoeError::Request(format!("moe layer {layer} is listed twice")));
            }
        }
        if layers.is_empty() {
            return Err(MoeError::Request(format!("moe mode {} chooses no layer of {n}", self.name())));
        }
        Ok(layers)
    }
}

/// The MoE part of a MoE-LLaVA config.
#[derive(Debug, Clone, PartialEq)]
pub struct MoeConfig {
    pub moe_mode: String,
    /// MoE layers, in the order of `num_experts`.
    pub moe_layers_idx: Vec<usize>,
    /// Experts of each of those layers.
    pub num_experts: Vec<usize>,
    pub top_k_experts: usize,
    pub capacity_factor: f64,
    pub eval_capacity_factor: f64,
    pub min_capacity: usize,
    pub use_residual: bool,
    pub router_aux_loss_coef: f64,
}

/// What a user asks a conversion for; the defaults are those of MoE-LLaVA's training arguments.
#[derive(Debug, Clone, PartialEq)]
pub struct MoeRequest {
    pub mode: MoeMode,
    /// One number for all layers, or one a chosen layer.
    pub num_experts: Vec<usize>,
    pub top_k: usize,
    pub capacity_factor: f64,
    pub eval_capacity_factor: f64,
    pub min_capacity: usize,
    pub use_residual: bool,
    pub router_aux_loss_coef: f64,
}

impl Default for MoeRequest {
    fn default() -> Self {
        Self {
            mode: MoeMode::SecondHalf,
            num_experts: vec![4],
            top_k: 2,
            capacity_factor: 1.0,
            eval_capacity_factor: 2.0,
            min_capacity: 0,
            use_residual: false,
            router_aux_loss_coef: 0.01,
        }
    }
}

impl MoeConfig {
    /// Applies a request to a model with `n` layers.
    pub fn new(request: &MoeRequest, n: usize) -> MoeResult<Self> {
        let layers = request.mode.layers(n)?;
        let num_experts = match request.num_experts.as_slice() {
            [one] => vec![*one; layers.len()],
            list => list.to_vec(),
        };
        let this = Self {
            moe_mode: request.mode.name().to_owned(),
            moe_layers_idx: layers,
            num_experts,
            top_k_experts: request.top_k,
            capacity_factor: request.capacity_factor,
            eval_capacity_factor: request.eval_capacity_factor,
            min_capacity: request.min_capacity,
            use_residual: request.use_residual,
            router_aux_loss_coef: request.router_aux_loss_coef,
        };
        this.check().map_err(|(_, message)| MoeError::Request(message))?;
        Ok(this)
    }

    /// Reads `config.moe`; `None` where the model is dense. `moe_layers_idx` is trusted, `moe_mode` is not.
    pub fn read(config: &Config) -> MoeResult<Option<Self>> {
        let Some(moe) = config.object("moe")? else { return Ok(None) };
        if moe.flag("moe_enable")? == Some(false) {
            return Ok(None);
        }
        let n = config.layers()?;
        let layers =
            moe.indices("moe_layers_idx")?.ok_or_else(|| moe.error("moe_layers_idx", "is missing"))?;
        let layers =
            MoeMode::Custom(layers).layers(n).map_err(|e| moe.error("moe_layers_idx", e.to_string()))?;
        let experts = moe.indices("num_experts")?.ok_or_else(|| moe.error("num_experts", "is missing"))?;
        let num_experts = match experts.as_slice() {
            [one] => vec![*one; layers.len()],
            _ => experts,
        };
        let factor = |key: &str| Ok::<_, MoeError>(moe.float(key)?.unwrap_or(1.0));
        let this = Self {
            moe_mode: moe.text("moe_mode")?.unwrap_or("custom").to_owned(),
            moe_layers_idx: layers,
            num_experts,
            top_k_experts: moe
                .index("top_k_experts")?
                .ok_or_else(|| moe.error("top_k_experts", "is missing"))?,
            capacity_factor: factor("capacity_factor")?,
            eval_capacity_factor: factor("eval_capacity_factor")?,
            min_capacity: moe.index("min_capacity")?.unwrap_or(4),
            use_residual: moe.flag("use_residual")?.unwrap_or(false),
            router_aux_loss_coef: moe.float("router_aux_loss_coef")?.unwrap_or(0.01),
        };
        this.check().map_err(|(key, message)| moe.error(key, message))?;
        Ok(Some(this))
    }

    fn check(&self) -> Result<(), (&'static str, String)> {
        let (layers, experts) = (self.moe_layers_idx.len(), self.num_experts.len());
        if layers != experts {
            return Err(("num_experts", format!("{experts} numbers of experts for {layers} MoE layers")));
        }
        for &e in &self.num_experts {
            if e == 0 || e > 4096 {
                return Err(("num_experts", format!("a layer cannot have {e} experts (1..=4096)")));
            }
            if self.top_k_experts == 0 || self.top_k_experts > e {
                let k = self.top_k_experts;
                return Err(("top_k_experts", format!("top_k is {k}, a layer has {e} experts")));
            }
        }
        for (key, factor) in
            [("capacity_factor", self.capacity_factor), ("eval_capacity_factor", self.eval_capacity_factor)]
        {
            if !(factor.is_finite() && factor > 0.0) {
                return Err((key, format!("{key} is {factor}, it must be above 0")));
            }
        }
        Ok(())
    }

    /// The number of experts of `layer`, `None` where it is dense.
    pub fn experts_of(&self, layer: usize) -> Option<usize> {
        let at = self.moe_layers_idx.iter().position(|&l| l == layer)?;
        self.num_experts.get(at).copied()
    }

    /// The gate in eval mode.
    pub fn gate(&self) -> GateConfig {
        GateConfig::new(self.top_k_experts, self.eval_capacity_factor, self.min_capacity)
    }

    /// The object MoE-LLaVA saves as `moe` in config.json.
    pub fn to_json(&self) -> Value {
        json!({
            "moe_enable": true,
            "moe_mode": self.moe_mode,
            "moe_layers_idx": self.moe_layers_idx,
            "ep_size": 1,
            "top_k_experts": self.top_k_experts,
            "capacity_factor": self.capacity_factor,
            "eval_capacity_factor": self.eval_capacity_factor,
            "min_capacity": self.min_capacity,
            "use_residual": self.use_residual,
            "router_aux_loss_coef": self.router_aux_loss_coef,
            "train_modules": null,
            "num_experts": self.num_experts,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_choose_the_layers_of_the_guide() {
        for (mode, expected) in [
            ("first_half", vec![0, 1]),
            ("second_half", vec![2, 3, 4]),
            ("sparse", vec![0, 2, 4]),
            ("dense", vec![0, 1, 2, 3, 4]),
        ] {
            assert_eq!(MoeMode::parse(mode, None).unwrap().layers(5).unwrap(), expected, "{mode}");
        }
        assert_eq!(MoeMode::parse("dense", Some(vec![3, 1])).unwrap().layers(5).unwrap(), [3, 1]);
    }

    #[test]
    fn impossible_requests_are_errors() {
        let ok =
            MoeRequest { mode: MoeMode::Custom(vec![1, 3]), num_experts: vec![2, 4], ..Default::default() };
        assert_eq!(MoeConfig::new(&ok, 4).unwrap().experts_of(3), Some(4));
        let wrong = [
            MoeRequest { num_experts: vec![2, 4, 4], ..ok.clone() },
            MoeRequest { num_experts: vec![0], ..ok.clone() },
            MoeRequest { num_experts: vec![1], ..ok.clone() },
            MoeRequest { top_k: 0, ..ok.clone() },
            MoeRequest { eval_capacity_factor: 0.0, ..ok.clone() },
            MoeRequest { mode: MoeMode::Custom(vec![1, 1]), ..ok.clone() },
            MoeRequest { mode: MoeMode::Custom(vec![4]), ..ok.clone() },
            MoeRequest { mode: MoeMode::Custom(vec![]), ..ok.clone() },
        ];
        for request in wrong {
            assert!(MoeConfig::new(&request, 4).is_err(), "{request:?}");
        }
        assert!(MoeMode::parse("half", None).is_err() && MoeMode::parse("custom", None).is_err());
    }

    #[test]
    fn a_written_config_reads_back() {
        let moe = MoeConfig::new(&MoeRequest::default(), 4).unwrap();
        let text = json!({"num_hidden_layers": 4, "moe": moe.to_json()}).to_string();
        let config = Config::parse("config.json", &text).unwrap();
        assert_eq!(MoeConfig::read(&config).unwrap().unwrap(), moe);
    }
}
