//! Arguments of `maskscope moe`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// What to do with a mixture of experts.
#[derive(Debug, Clone, Subcommand)]
pub enum MoeCommand {
    /// Expert routing of the samples' tokens.
    Route(Box<RouteArguments>),
    /// Dense checkpoint to MoE checkpoint.
    Convert(Box<ConvertArguments>),
    /// Devices that this build knows, and what was found.
    Devices,
}

/// How a dense model becomes an MoE model.
#[derive(Debug, Clone, Args)]
pub struct ConversionArguments {
    /// Layers that become MoE layers: first_half, second_half, sparse, dense or custom.
    #[arg(long, value_name = "MODE", default_value = "sparse")]
    pub moe_mode: String,
    /// Layers of mode custom, with commas between.
    #[arg(long, value_name = "LAYERS", value_delimiter = ',')]
    pub moe_layers: Option<Vec<usize>>,
    /// Experts: one number, or one a MoE layer with commas between.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "4")]
    pub num_experts: Vec<usize>,
    /// Experts a token goes to.
    #[arg(long, value_name = "K", default_value_t = 2)]
    pub top_k: usize,
    /// Capacity factor of training.
    #[arg(long, value_name = "F", default_value_t = 1.0)]
    pub capacity_factor: f64,
    /// Capacity factor of evaluation, which `moe route` uses.
    #[arg(long, value_name = "F", default_value_t = 2.0)]
    pub eval_capacity_factor: f64,
    /// Smallest capacity of an expert.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub min_capacity: usize,
    /// Add the dense MLP beside the experts.
    #[arg(long)]
    pub use_residual: bool,
    /// Gates (and optionally experts) by DeepSpeed's names, as safetensors.
    #[arg(long, value_name = "FILE")]
    pub moe_weights: Option<PathBuf>,
    /// How gates start without --moe-weights.
    #[arg(long, value_enum, default_value = "default")]
    pub router_init: RouterInit,
    /// Seed of gates, stand-in image features and sampled noise.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

impl ConversionArguments {
    /// An option that says how to convert and differs from its default. The seed is not one: images have it too.
    pub fn given(&self) -> Option<&'static str> {
        let differs = [
            ("--moe-mode", self.moe_mode != "sparse"),
            ("--moe-layers", self.moe_layers.is_some()),
            ("--num-experts", self.num_experts != [4]),
            ("--top-k", self.top_k != 2),
            ("--capacity-factor", self.capacity_factor != 1.0),
            ("--eval-capacity-factor", self.eval_capacity_factor != 2.0),
            ("--min-capacity", self.min_capacity != 0),
            ("--use-residual", self.use_residual),
            ("--moe-weights", self.moe_weights.is_some()),
            ("--router-init", self.router_init != RouterInit::Default),
        ];
        differs.into_iter().find_map(|(name, differs)| differs.then_some(name))
    }
}

/// How gates start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RouterInit {
    /// Small random numbers from the seed.
    Default,
    /// Clusters of the hidden states of the given samples.
    Kmeans,
}

/// Arguments of `moe route`.
#[derive(Debug, Clone, Args)]
pub struct RouteArguments {
    /// A dense backbone, a MoE-LLaVA checkpoint or a MoE model: a folder with config.json and safetensors, or a hub id.
    #[arg(long, value_name = "DIR|HUB", conflicts_with = "moe_sample")]
    pub checkpoint: Option<String>,
    /// Built-in model: byte-moe (trained, reads bytes) or seeded:BACKBONE (small, random weights) [default: byte-moe].
    #[arg(long, value_name = "NAME")]
    pub moe_sample: Option<String>,
    #[command(flatten)]
    pub conversion: ConversionArguments,
    /// Token ids instead of conversations: a JSON array of arrays.
    #[arg(long, value_name = "FILE")]
    pub ids: Option<PathBuf>,
    /// One call a sample, or all samples padded into one call.
    #[arg(long, value_enum, default_value = "single")]
    pub batch: BatchArgument,
    /// Gate noise.
    #[arg(long, value_enum, default_value = "none")]
    pub noise: NoiseArgument,
    /// Only the layers 0..K; the rest is not read.
    #[arg(long, value_name = "0..K")]
    pub layers: Option<String>,
    /// Leave the big arrays in the JSON.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    pub logits: bool,
    /// Write all arrays to a safetensors file.
    #[arg(long, value_name = "FILE")]
    pub dump: Option<PathBuf>,
}

/// How samples become calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BatchArgument {
    Single,
    Padded,
}

/// Gate noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum NoiseArgument {
    None,
    Sampled,
}

/// Arguments of `moe convert`.
#[derive(Debug, Clone, Args)]
pub struct ConvertArguments {
    /// The dense checkpoint's folder.
    #[arg(long, value_name = "DIR")]
    pub checkpoint: PathBuf,
    /// Folder to write; it must not exist.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    #[command(flatten)]
    pub conversion: ConversionArguments,
}
