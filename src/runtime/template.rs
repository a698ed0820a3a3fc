//! The work of the template editor: compile and render, under the limits of chat templates.

use crate::app::template_editor::{RenderWork, Rendered, TemplateProblem};
use crate::chat::jinja::{ChatTemplate, TemplateError};
use crate::masks::{MaskError, Templates};
use crate::setup::ChatOptions;

/// Renders a sample with a source in the making. A hostile source ends by fuel, size or depth.
pub fn render(work: &RenderWork) -> Rendered {
    let plain = |message: &str| TemplateProblem { line: None, message: message.to_string() };
    let method = work.setup.chat().ok_or_else(|| plain("the set-up has no chat template"))?;
    let conversation = work.sample.conversation().ok_or_else(|| plain("this record holds no messages"))?;
    let template =
        ChatTemplate::new("template", &work.source, ChatOptions::default().clock).map_err(|e| problem(&e))?;
    let sample = method.with_kwargs(conversation.into_owned());
    method.text_of(&Templates::one(template), &sample).map_err(|error| match error {
        MaskError::Template(error) => problem(&error),
        other => plain(&other.to_string()),
    })
}

fn problem(error: &TemplateError) -> TemplateProblem {
    let message = match error {
        TemplateError::Syntax { exception, .. } | TemplateError::Raised { exception, .. } => {
            exception.to_string()
        }
        TemplateError::Inputs(exception) => exception.to_string(),
        TemplateError::Limit { limit, .. } => format!("stopped: {limit}"),
    };
    TemplateProblem { line: error.line().filter(|line| *line > 0), message }
}
