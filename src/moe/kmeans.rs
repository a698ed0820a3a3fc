//! Gates from clusters: k-means over what each gate sees, so that a fresh gate separates the tokens it
//! will route instead of drawing random directions. By hand: Lloyd's algorithm is sixty lines, and a clustering crate
//! brings an array library of its own.

use std::collections::BTreeMap;

use super::backbone::{InputRow, for_each_feed_input};
use super::checkpoint::Checkpoint;
use super::config::Config;
use super::error::{MoeError, MoeResult};
use super::moe_llava::MoeConfig;
use super::seed::Rng;

/// Most points used a layer; more are thinned out evenly.
const MAX_POINTS: usize = 8192;
/// Rows run through the model: enough points, and a residual stream of at most 150 MB for a model of 7 B parameters.
const MAX_ROWS: usize = MAX_POINTS;
/// Lloyd steps at most; it ends earlier when no point moves.
const MAX_STEPS: usize = 50;

/// Gates `[E, H]` by layer, from a dense model's feed-forward inputs over `sequences`.
///
/// A row is its cluster's centroid scaled to length 1: wg has no bias, so centroids of different lengths
/// would let the longest one win everywhere. The model is read layer by layer, never whole; of many sequences an even
/// choice with [`MAX_ROWS`] rows is run. `watch` is called with (done, all) layers, its `false` ends the work.
///
/// # Errors
/// What the model refuses, fewer tokens than experts, [`MoeError::Cancelled`].
pub fn kmeans_gates(
    config: &Config,
    checkpoint: &Checkpoint,
    sequences: &[Vec<InputRow>],
    moe: &MoeConfig,
    seed: u64,
    watch: &mut dyn FnMut(usize, usize) -> bool,
) -> MoeResult<BTreeMap<usize, Vec<f32>>> {
    let width = config.size("hidden_size")?;
    let layers = moe.moe_layers_idx.iter().max().map_or(0, |last| last + 1);
    let mut gates = BTreeMap::new();
    for_each_feed_input(config, checkpoint, &even_choice(sequences), layers, &mut |layer, points| {
        if !watch(layer, layers) {
            return Err(MoeError::Cancelled);
        }
        let Some(num_experts) = moe.experts_of(layer) else { return Ok(()) };
        let mut centroids = kmeans(&points, width, num_experts, seed ^ layer as u64)?;
        for row in centroids.chunks_exact_mut(width) {
            let length = row.iter().map(|v| v * v).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
            row.iter_mut().for_each(|v| *v /= length);
        }
        gates.insert(layer, centroids);
        Ok(())
    })?;
    Ok(gates)
}

/// Every n-th sequence, so that there are about [`MAX_ROWS`] rows; one at least.
fn even_choice(sequences: &[Vec<InputRow>]) -> Vec<Vec<InputRow>> {
    let rows: usize = sequences.iter().map(Vec::len).sum();
    sequences.iter().step_by(rows.div_ceil(MAX_ROWS).max(1)).cloned().collect()
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
