//! The kernels: what is compiled for the GPU, and how many arrays each reads.

/// A compute shader of `kernels/`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kernel {
    pub name: &'static str,
    /// Put before its own text.
    shared: &'static str,
    text: &'static str,
    /// Arrays that it reads; one more is written.
    pub reads: u32,
}

/// Constants that a kernel is compiled with.
pub(super) type Constants = &'static [(&'static str, u32)];

macro_rules! kernels {
    ($($constant:ident = $file:literal, $reads:literal, $shared:expr;)*) => {
        $(pub(super) const $constant: Kernel = Kernel {
            name: $file,
            shared: $shared,
            text: include_str!(concat!("kernels/", $file, ".wgsl")),
            reads: $reads,
        };)*
    };
}

const ACTIVATIONS: &str = include_str!("kernels/activations.wgsl");

kernels! {
    LINEAR = "linear", 3, "";
    RMS_NORM = "rms_norm", 2, "";
    LAYER_NORM = "layer_norm", 2, "";
    ROTARY = "rotary", 1, "";
    ATTENTION = "attention", 5, "";
    ACTIVATE = "activate", 0, ACTIVATIONS;
    GATED = "gated", 1, ACTIVATIONS;
    ADD = "add", 1, "";
    CLAMP = "clamp", 0, "";
    SCALE_POSITIONS = "scale_positions", 1, "";
    REGROUP = "regroup", 1, "";
    GATHER = "gather", 3, "";
    SCATTER = "scatter", 3, "";
    JOIN = "join", 2, "";
}

impl Kernel {
    /// The text that is compiled.
    pub fn source(&self, constants: Constants) -> String {
        let constants: String =
            constants.iter().map(|(name, value)| format!("const {name}: u32 = {value}u;\n")).collect();
        format!("{constants}{}{}", self.shared, self.text)
    }
}
