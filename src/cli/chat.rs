//! Options of chat templates and mask strategies.

use clap::Args;
use serde_json::{Map, Value};

use crate::chat::jinja::{Clock, ContinueFinalMessage};
use crate::error::{Error, Result};
use crate::masks::{Rendering, StrategySettings};
use crate::setup::ChatOptions;

/// What goes with `--template chat` or a `.jinja` file.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Chat templates")]
pub struct ChatArgs {
    /// One of the tokenizer's chat templates by name [default: as transformers chooses].
    #[arg(long, global = true, value_name = "NAME")]
    pub chat_template: Option<String>,
    /// Template variables, a JSON object: {"enable_thinking": false}.
    #[arg(long, global = true, value_name = "JSON")]
    pub template_kwargs: Option<String>,
    /// Render the header of a new answer behind the conversation.
    #[arg(long, global = true)]
    pub add_generation_prompt: bool,
    /// Leave the last message open, or the field of it that is named.
    #[arg(long, global = true, value_name = "FIELD", num_args = 0..=1, default_missing_value = "content", require_equals = true)]
    pub continue_final_message: Option<String>,
    /// The time that templates see: 2026-11-23 or 2026-11-23T10:00:00.
    #[arg(long, global = true, value_name = "TIME")]
    pub clock: Option<String>,
    /// A setting of the mask strategy, such as response_part='<|im_start|>assistant\n'; see `maskscope templates`.
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    pub strategy_option: Vec<String>,
}

impl ChatArgs {
    /// What these options ask for.
    ///
    /// # Errors
    /// Variables that are no JSON object, a time that is none, unknown settings.
    pub fn wish(&self) -> Result<ChatOptions> {
        let kwargs = match &self.template_kwargs {
            None => Map::new(),
            Some(text) => match serde_json::from_str(text) {
                Ok(Value::Object(map)) => map,
                _ => {
                    return Err(Error::Usage(format!(
                        "--template-kwargs {text:?}: expected a JSON object, such as {{\"enable_thinking\": false}}"
                    )));
                }
            },
        };
        let continue_final_message = match self.continue_final_message.as_deref() {
            None => ContinueFinalMessage::No,
            Some("content") => ContinueFinalMessage::Content,
            Some(field) => ContinueFinalMessage::Field(field.to_string()),
        };
        let clock = match &self.clock {
            None => Clock::System,
            Some(text) => Clock::parse(text).ok_or_else(|| {
                Error::Usage(format!("--clock {text:?}: expected 2026-11-23 or 2026-11-23T10:00:00"))
            })?,
        };
        Ok(ChatOptions {
            release: None,
            by_data: None,
            name: self.chat_template.clone(),
            rendering: Rendering {
                add_generation_prompt: self.add_generation_prompt,
                continue_final_message,
                kwargs,
            },
            clock,
            settings: StrategySettings::parse(&self.strategy_option)?,
            option_pairs: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_make_a_wish() {
        let options = ChatArgs {
            template_kwargs: Some("{\"enable_thinking\": false}".into()),
            clock: Some("2026-11-23T10:05".into()),
            continue_final_message: Some("reasoning_content".into()),
            ..ChatArgs::default()
        };
        let wish = options.wish().expect("understood");
        assert_eq!(wish.rendering.kwargs["enable_thinking"], false);
        let Clock::Fixed(time) = wish.clock else { panic!("a fixed clock") };
        assert_eq!((time.day(), time.hour(), time.minute()), (23, 10, 5));
        for (kwargs, clock) in [(Some("[]"), None), (None, Some("today")), (None, Some("2026-13-01"))] {
            let options = ChatArgs {
                template_kwargs: kwargs.map(String::from),
                clock: clock.map(String::from),
                ..ChatArgs::default()
            };
            assert!(options.wish().is_err());
        }
    }
}
