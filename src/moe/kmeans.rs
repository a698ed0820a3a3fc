//! Gates from clusters: k-means over what each gate sees, so that a fresh gate separates the tokens it
//! will route instead of drawing random directions.

use std::collections::BTreeMap;

use super::backbone::{ForwardOptions, InputRow, Model};
use super::error::{MoeError, MoeResult};
use super::moe_llava::MoeConfig;
use super::seed::Rng;

/// Most points used a layer; more are thinned out evenly.
const MAX_POINTS: usize = 8192;
/// Lloyd steps at most; it ends earlier when no point moves.
const MAX_STEPS: usize = 50;

/// Gates `[E, H]` by layer, from a dense model's feed-forward inputs over `sequences`.
///
/// A row is its cluster's centroid scaled to length 1: wg has no bias, so centroids of different lengths
/// would let the longest one win everywhere.
///
/// # Errors
/// What [`Model::forward`] refuses, and fewer tokens than experts.
pub fn kmeans_gates(
    dense: &Model,
    sequences: &[Vec<InputRow>],
    moe: &MoeConfig,
    seed: u64,
) -> MoeResult<BTreeMap<usize, Vec<f32>>> {
    let options = ForwardOptions { feed_inputs: true, ..ForwardOptions::default() };
    let mut points: BTreeMap<usize, Vec<f32>> = BTreeMap::new();
    for sequence in sequences {
        let run = dense.forward(std::slice::from_ref(sequence), &options)?;
        for (layer, values) in run.feed_inputs {
            if moe.experts_of(layer).is_some() {
                points.entry(layer).or_default().extend(values);
            }
        }
    }
    let mut gates = BTreeMap::new();
    for &layer in &moe.moe_layers_idx {
        let num_experts = moe.experts_of(layer).unwrap_or(0);
        let values = points.remove(&layer).unwrap_or_default();
        let mut centroids = kmeans(&values, dense.hidden_size(), num_experts, seed ^ layer as u64)?;
        for row in centroids.chunks_exact_mut(dense.hidden_size().max(1)) {
            let length = row.iter().map(|v| v * v).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
            row.iter_mut().for_each(|v| *v /= length);
        }
        gates.insert(layer, centroids);
    }
    Ok(gates)
}

/// Lloyd's algorithm with k-means++ seeding: `points` is `[n, width]`, the result `[k, width]`.
///
/// Deterministic for a seed. A cluster that loses all its points keeps its centroid.
pub fn kmeans(points: &[f32], width: usize, k: usize, seed: u64) -> MoeResult<Vec<f32>> {
    let n = points.len() / width.max(1);
    if n < k || k == 0 {
        return Err(MoeError::Request(format!(
            "k-means for {k} experts needs as many tokens, there are {n}"
        )));
    }
    let step = n.div_ceil(MAX_POINTS);
    let rows: Vec<&[f32]> = points.chunks_exact(width).step_by(step.min(n / k)).collect();
    let mut centroids = seeding(&rows, k, seed);
    let mut assigned: Vec<usize> = Vec::new();
    for _ in 0..MAX_STEPS {
        let nearest: Vec<usize> = rows.iter().map(|row| nearest(row, &centroids).0).collect();
        if nearest == assigned {
            break;
        }
        assigned = nearest;
        for (cluster, centroid) in centroids.iter_mut().enumerate() {
            let members = rows.iter().zip(&assigned).filter(|(_, a)| **a == cluster).map(|(row, _)| row);
            let mut sum = vec![0f64; width];
            let mut count = 0usize;
            for row in members {
                count += 1;
                sum.iter_mut().zip(*row).for_each(|(s, v)| *s += f64::from(*v));
            }
            if count > 0 {
                *centroid = sum.iter().map(|s| (s / count as f64) as f32).collect();
            }
        }
    }
    Ok(centroids.concat())
}

/// k-means++: each next centre is drawn with probability proportional to its squared distance.
fn seeding(rows: &[&[f32]], k: usize, seed: u64) -> Vec<Vec<f32>> {
    let mut rng = Rng::new(seed);
    let mut centroids: Vec<Vec<f32>> = Vec::with_capacity(k);
    centroids.extend(rows.get(rng.below(rows.len())).map(|row| row.to_vec()));
    while centroids.len() < k {
        let distances: Vec<f64> = rows.iter().map(|row| nearest(row, &centroids).1).collect();
        let mut left = distances.iter().sum::<f64>() * f64::from(rng.uniform());
        let drawn = distances.iter().position(|d| {
            left -= d;
            left < 0.0
        });
        let at = drawn.unwrap_or_else(|| rng.below(rows.len()));
        centroids.extend(rows.get(at).map(|row| row.to_vec()));
    }
    centroids
}

/// The nearest centroid (lowest index among equals) and its squared distance.
fn nearest(row: &[f32], centroids: &[Vec<f32>]) -> (usize, f64) {
    let mut best = (0, f64::INFINITY);
    for (i, centroid) in centroids.iter().enumerate() {
        let distance: f64 = row.iter().zip(centroid).map(|(a, b)| f64::from(a - b).powi(2)).sum();
        if distance < best.1 {
            best = (i, distance);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_clouds_give_two_centres() {
        let mut rng = Rng::new(3);
        let cloud =
            |centre: f32, rng: &mut Rng| (0..100).map(|_| centre + rng.normal() * 0.1).collect::<Vec<_>>();
        let points = [cloud(5.0, &mut rng), cloud(-5.0, &mut rng)].concat();
        let mut centres = kmeans(&points, 2, 2, 0).unwrap();
        assert_eq!(centres, kmeans(&points, 2, 2, 0).unwrap());
        centres.sort_by(f32::total_cmp);
        assert!((centres[0] + 5.0).abs() < 0.1 && (centres[3] - 5.0).abs() < 0.1, "{centres:?}");
    }

    #[test]
    fn equal_points_and_too_few_points_end() {
        assert_eq!(kmeans(&[1.0; 12], 2, 3, 0).unwrap(), [1.0; 6]);
        assert!(kmeans(&[1.0; 4], 2, 3, 0).is_err());
        assert!(kmeans(&[], 2, 0, 0).is_err());
    }
}
