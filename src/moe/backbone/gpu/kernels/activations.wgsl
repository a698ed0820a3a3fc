// The activations, in f32; shared by activate.wgsl and gated.wgsl. KIND chooses one when the kernel is compiled.
//   0 silu: x / (1 + e^-x)
//   1 gelu_new: x (1 + tanh u) / 2 with u = sqrt(2/pi) (x + 0.044715 x^3), written as x sigmoid(2u)
//   2 gelu: x (1 + erf(x / sqrt 2)) / 2
//   3 relu: max(x, 0)
// Hendrycks and Gimpel, "Gaussian Error Linear Units" (2016); torch's nn.functional.

// e^-x of anything: the exponent stays where f32 has no infinity.
fn sigmoid(x: f32) -> f32 {
    return 1.0 / (1.0 + exp(clamp(-x, -87.0, 87.0)));
}

// Abramowitz and Stegun, "Handbook of Mathematical Functions", 7.1.26: within 1.5e-7.
fn erf(x: f32) -> f32 {
    let a = min(abs(x), 6.0);
    let t = 1.0 / (1.0 + 0.3275911 * a);
    let poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
    return sign(x) * (1.0 - poly * exp(-a * a));
}

fn act(x: f32) -> f32 {
    if KIND == 0u {
        return x * sigmoid(x);
    }
    if KIND == 1u {
        return x * sigmoid(1.5957691216057308 * (x + 0.044715 * x * x * x));
    }
    if KIND == 2u {
        return x * (erf(x * 0.7071067811865476) + 1.0) / 2.0;
    }
    return max(x, 0.0);
}
