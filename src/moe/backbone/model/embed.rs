//! The rows that enter the first layer: embeddings of token ids, and features of images in their place.

use super::{InputRow, Model};
use crate::moe::backbone::array::Array;
use crate::moe::error::{MoeError, MoeResult};
use crate::tokenizer::TokenId;

impl Model {
    /// Embeddings of `ids`, `[n, H]`, unscaled: only these rows of the table are read.
    pub fn embeddings(&self, ids: &[TokenId]) -> MoeResult<Vec<f32>> {
        let name = format!("{}{}", self.root, self.family.embedding);
        let mut rows = Vec::with_capacity(ids.len() * self.hidden_size());
        for &id in ids {
            let row = self.checkpoint.f32_rows(&name, id as usize, 1).map_err(|e| {
                let vocab = self.vocab_size();
                MoeError::Request(format!("token id {id} (the model has {vocab} embeddings): {e}"))
            })?;
            rows.extend(row);
        }
        Ok(rows)
    }

    /// The rows of all sequences, `[B * S, H]`, padded on the right to `seq` rows and scaled as the family does.
    pub(in crate::moe::backbone) fn embed(
        &self,
        sequences: &[Vec<InputRow>],
        seq: usize,
        pad_id: TokenId,
    ) -> MoeResult<Array> {
        let hidden = self.hidden_size();
        let mut values = Vec::with_capacity(sequences.len() * seq * hidden);
        for rows in sequences {
            let mixed = rows.iter().any(|r| matches!(r, InputRow::Features(_)));
            let unscaled = mixed && self.ends.unscaled_beside_features;
            let scale = if unscaled { 1.0 } else { self.ends.embedding_multiplier as f32 };
            let pad = InputRow::Token(pad_id);
            for row in rows.iter().chain(std::iter::repeat_n(&pad, seq - rows.len())) {
                match row {
                    InputRow::Token(id) => {
                        values.extend(self.embeddings(&[*id])?.into_iter().map(|v| v * scale));
                    }
                    InputRow::Features(features) if features.len() == hidden => values.extend(features),
                    InputRow::Features(features) => {
                        let n = features.len();
                        return Err(MoeError::Request(format!(
                            "image features of {n} values, H is {hidden}"
                        )));
                    }
                }
            }
        }
        self.compute().array(values, hidden)
    }
}
