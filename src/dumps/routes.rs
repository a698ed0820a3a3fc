//! Experts that a server recorded for each token: `[tokens, layers, k]`, or one token fewer, as the last one sampled is never
//! routed. Counted layer by layer, joined with the mask, and held against those of another dump.

use serde::Serialize;

use super::fed::FedRow;
use super::row::DumpRow;

/// Most layers, and experts of a layer: more is no model's.
const MOST_LAYERS: usize = 1024;
const MOST_EXPERTS: usize = 65_536;

/// What the routes of one layer come to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LayerRoutes {
    /// Kept choices of each expert, over all tokens and over those that the loss sees.
    pub load: Vec<u64>,
    pub supervised_load: Vec<u64>,
    /// Tokens compared with another dump's, and those with the same experts in any order.
    pub compared: u64,
    pub same: u64,
}

/// What the routes of a file come to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RouteCounts {
    pub rows: usize,
    pub tokens: u64,
    /// Experts of a token.
    pub k: usize,
    pub layers: Vec<LayerRoutes>,
    /// Choices that are −1: the server recorded none.
    pub missing: u64,
    /// Tokens of a layer with an expert twice.
    pub duplicates: u64,
    /// Choices below −1, or beyond what any model has.
    pub out_of_range: u64,
    /// Rows whose array is not as long as their ids, nor one shorter.
    pub unfitting: usize,
    /// The first row with any of these.
    pub first: Option<usize>,
}

/// The routes of a row: numbers of tokens, layers and choices, and all choices.
struct Routes<'r> {
    tokens: usize,
    layers: usize,
    k: usize,
    values: &'r [i64],
}

impl<'r> Routes<'r> {
    fn of(row: &'r DumpRow) -> Option<Result<Self, ()>> {
        let experts = row.experts.as_ref()?;
        let (tokens, layers, k) = match experts.shape.as_slice() {
            [tokens, layers, k] => (*tokens, *layers, *k),
            // Of a model with one expert a token, or of one layer.
            [tokens, layers] => (*tokens, *layers, 1),
            _ => return Some(Err(())),
        };
        let whole = tokens.checked_mul(layers).and_then(|n| n.checked_mul(k)) == Some(experts.values.len());
        let fits = (tokens == row.ids.len() || tokens + 1 == row.ids.len()) && layers <= MOST_LAYERS && k > 0;
        Some(if whole && fits { Ok(Self { tokens, layers, k, values: &experts.values }) } else { Err(()) })
    }

    fn at(&self, token: usize, layer: usize) -> &[i64] {
        let start = (token * self.layers + layer) * self.k;
        self.values.get(start..start + self.k).unwrap_or_default()
    }
}

impl RouteCounts {
    /// Counts a row that has routes; `other` is the same row of another dump.
    pub fn add(&mut self, number: usize, row: &DumpRow, fed: &FedRow, other: Option<&DumpRow>) {
        let Some(routes) = Routes::of(row) else { return };
        self.rows += 1;
        let Ok(routes) = routes else {
            self.unfitting += 1;
            self.first.get_or_insert(number);
            return;
        };
        let before = self.faults();
        self.tokens += routes.tokens as u64;
        self.k = self.k.max(routes.k);
        if self.layers.len() < routes.layers {
            self.layers.resize_with(routes.layers, LayerRoutes::default);
        }
        for (layer, counts) in self.layers.iter_mut().enumerate().take(routes.layers) {
            for token in 0..routes.tokens {
                let choices = routes.at(token, layer);
                let repeats = |at: usize| {
                    choices
                        .get(..at)
                        .is_some_and(|seen| choices.get(at).is_some_and(|c| *c >= 0 && seen.contains(c)))
                };
                self.duplicates += u64::from((1..choices.len()).any(repeats));
                for choice in choices {
                    match usize::try_from(*choice).ok().filter(|expert| *expert < MOST_EXPERTS) {
                        Some(expert) => {
                            add_at(&mut counts.load, expert);
                            if fed.is_supervised(token) {
                                add_at(&mut counts.supervised_load, expert);
                            }
                        }
                        None if *choice == -1 => self.missing += 1,
                        None => self.out_of_range += 1,
                    }
                }
            }
        }
        if let Some(Ok(other)) =
            other.and_then(Routes::of).filter(|o| o.as_ref().is_ok_and(|o| o.layers == routes.layers))
        {
            for (layer, counts) in self.layers.iter_mut().enumerate().take(routes.layers) {
                for token in 0..routes.tokens.min(other.tokens) {
                    let sorted = |choices: &[i64]| {
                        let mut choices = choices.to_vec();
                        choices.sort_unstable();
                        choices
                    };
                    counts.compared += 1;
                    counts.same +=
                        u64::from(sorted(routes.at(token, layer)) == sorted(other.at(token, layer)));
                }
            }
        }
        if self.faults() > before {
            self.first.get_or_insert(number);
        }
    }

    /// Choices and tokens that are wrong.
    pub fn faults(&self) -> u64 {
        self.missing + self.duplicates + self.out_of_range + self.unfitting as u64
    }
}

fn add_at(counts: &mut Vec<u64>, at: usize) {
    if counts.len() <= at {
        counts.resize(at + 1, 0);
    }
    if let Some(count) = counts.get_mut(at) {
        *count += 1;
    }
}

impl LayerRoutes {
    /// The largest load over the mean one of the experts that exist in any layer.
    pub fn largest_over_uniform(load: &[u64], experts: usize) -> f64 {
        let all: u64 = load.iter().sum();
        let largest = load.iter().max().copied().unwrap_or(0);
        if all == 0 { 0.0 } else { largest as f64 * experts.max(1) as f64 / all as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dumps::row::TokenValues;
    use crate::labels::IGNORE_INDEX;

    fn row(shape: &[usize], values: &[i64]) -> DumpRow {
        let experts = Some(TokenValues {
            key: "routed_experts".into(),
            shape: shape.to_vec(),
            values: values.to_vec(),
        });
        DumpRow { ids: vec![5, 6, 7], experts, ..DumpRow::default() }
    }

    fn counted(row: &DumpRow, other: Option<&DumpRow>) -> RouteCounts {
        let fed = FedRow { labels: vec![IGNORE_INDEX, 6, 7], ..FedRow::default() };
        let mut counts = RouteCounts::default();
        counts.add(3, row, &fed, other);
        counts
    }

    #[test]
    fn loads_are_joined_with_the_mask() {
        let counts = counted(&row(&[2, 2, 2], &[0, 1, 2, 3, 0, 2, 3, 1]), None);
        assert_eq!((counts.tokens, counts.k, counts.layers.len(), counts.faults()), (2, 2, 2, 0));
        assert_eq!(counts.layers[0].load, [2, 1, 1]);
        assert_eq!(counts.layers[0].supervised_load, [1, 0, 1]);
    }

    #[test]
    fn what_is_wrong_with_routes_is_named() {
        let counts = counted(&row(&[3, 1, 2], &[0, -1, 1, 1, -7, 99_999_999]), None);
        assert_eq!(
            (counts.missing, counts.duplicates, counts.out_of_range, counts.first),
            (1, 1, 2, Some(3))
        );
        assert_eq!(counted(&row(&[1, 1, 2], &[0, 1]), None).unfitting, 1);
    }

    #[test]
    fn two_dumps_agree_layer_by_layer() {
        let (a, b) = (row(&[2, 2, 2], &[0, 1, 2, 3, 0, 2, 3, 1]), row(&[2, 2, 2], &[1, 0, 2, 0, 0, 2, 3, 1]));
        let counts = counted(&a, Some(&b));
        let told: Vec<(u64, u64)> = counts.layers.iter().map(|layer| (layer.same, layer.compared)).collect();
        assert_eq!(told, [(2, 2), (1, 2)]);
    }
}
