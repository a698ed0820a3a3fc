//! Jinja chat templates as transformers 5.23 finds and renders them, or an earlier release ([`release`]).
//!
//! ```text
//! TemplateSet::discover(folder) ── choose(name, tools) ──> source
//! ChatTemplate::new(name, source, clock) ── render(&Inputs) ──> Rendered { text, spans, turn_starts }
//! ```
//!
//! [`TemplateSet`] holds a model's template texts; [`ChatTemplate`] is one of them, compiled;
//! [`Inputs`] is what `apply_chat_template` takes. The rendered text equals that of the Python code,
//! including what its input normalisation changes, and [`Rendered::spans`] are the `{% generation %}`
//! blocks where transformers puts them. A template is untrusted: it runs under the limits of
//! [`limits`] and ends with an error that names its line. Exceptions that Python raises come back in
//! Python's words ([`PythonException`]).
//!
//! Known not to equal jinja2 (counted with `tests/scripts/render_real_templates.py`: 784 of 786 real templates
//! render alike):
//! * `"…" | safe` makes Markup in Python, and `Markup + str` escapes the str; here it does not (2 templates);
//! * `"…%d" % value`: the engine has no such operator on text and says so (1 template, in a branch for video);
//! * comparing values of different types gives an answer where Python raises;
//! * printing what has no JSON form (`dict.items()`, a generator, `range`) shows a list;
//! * filters that no chat template uses are missing: truncate, striptags, urlize, wordwrap, xmlattr, random.
//!
//! Knows nothing of tokens: [`crate::masks`] maps spans to them.
//!
//! Source of the rules: `transformers/utils/chat_template_utils.py` and `tokenization_utils_base.py`.

mod call_args;
mod clock;
mod compared;
mod discovery;
mod environment;
mod error;
mod filters;
mod generation;
mod generator;
mod helpers;
mod input;
mod iteration;
mod json;
mod last_conversation;
pub mod limits;
mod methods;
mod paid;
mod printed;
mod python;
mod release;
mod rendered;
mod stored;
mod string_methods;
mod syntax;
#[cfg(test)]
mod tests;
mod tracker;
mod undefined;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use minijinja::Environment;
use serde_json::Value;

use crate::guard;
use crate::tokenizer::Release;
use last_conversation::{Extent, Found};
use tracker::Tracker;

pub use clock::Clock;
pub use discovery::{TemplateQuery, TemplateSet, TemplateSource};
pub use error::{PythonException, TemplateError};
pub use input::{ContinueFinalMessage, Inputs};
pub(crate) use python::is_space;
pub use rendered::Rendered;
pub use tracker::Span;

/// `repr()` of a text as Python prints it in messages.
pub(crate) fn string_repr(text: &str) -> String {
    python::string_repr(text).unwrap_or_else(|_| format!("{text:?}"))
}

/// A value as `{{ value }}` prints it; `None` for one that is too large to print.
pub(crate) fn value_repr(value: &Value) -> Option<String> {
    python::repr(&input::template_value(value)).ok()
}

/// A compiled template. Rendering takes `&self`, so threads can share it.
#[derive(Debug)]
pub struct ChatTemplate {
    /// No other template of this process has it.
    number: u64,
    env: Environment<'static>,
    name: String,
    source: String,
    clock: Clock,
    generation_tags: usize,
    of_extension: Option<(&'static str, usize)>,
    release: Release,
    /// The same of the other side of the change from 4 to 5, compiled when it is first asked for.
    other_side: OnceLock<Option<Box<ChatTemplate>>>,
}

impl ChatTemplate {
    /// Compiles `source`; `name` is what messages call it.
    ///
    /// # Errors
    /// [`TemplateError::Syntax`] with the line, [`TemplateError::Limit`] for a source that is too large.
    pub fn new(name: &str, source: &str, clock: Clock) -> Result<Self, TemplateError> {
        if source.len() as u64 > limits::MAX_SOURCE {
            let limit = format!("its source is longer than {} MiB", limits::MAX_SOURCE >> 20);
            return Err(TemplateError::Limit { template: name.into(), line: 1, limit });
        }
        // jinja2 reads every kind of line end as one newline.
        let source = &source.replace("\r\n", "\n").replace('\r', "\n");
        if let Some((line, limit)) = syntax::too_deep(source) {
            return Err(TemplateError::Limit { template: name.into(), line, limit });
        }
        let rewritten = generation::rewrite(source);
        let mut env = environment::build(clock);
        let compiled = compile(&mut env, engine_source(rewritten.source));
        compiled.map_err(|panic| failed(name, &panic))?.map_err(|error| error::from_engine(&error, name))?;
        Ok(Self {
            number: next_number(),
            env,
            name: name.into(),
            source: source.clone(),
            clock,
            generation_tags: rewritten.tags,
            of_extension: rewritten.of_extension,
            release: Release::V5,
            other_side: OnceLock::new(),
        })
    }

    /// The same as another release of transformers renders it.
    pub fn of_release(mut self, release: Release) -> Self {
        if release <= Release::V4_37 {
            release::without_later_parts(&mut self.env);
        }
        Self { number: next_number(), release, other_side: OnceLock::new(), ..self }
    }

    /// The same by the last release of transformers 4 where this is 5, and by 5 where this is 4.
    pub fn of_other_side(&self) -> Option<&Self> {
        let other = if self.release == Release::V5 { Release::V4_57 } else { Release::V5 };
        let compiled = || {
            let template = Self::new(&self.name, &self.source, self.clock).ok()?;
            Some(Box::new(template.of_release(other)))
        };
        self.other_side.get_or_init(compiled).as_deref()
    }

    /// The release of transformers that is reproduced.
    pub fn release(&self) -> Release {
        self.release
    }

    /// What this release raises before it renders anything.
    fn refusal(&self) -> Option<TemplateError> {
        release::refusal(self.release, self.of_extension).map(|(line, exception)| match line {
            Some(line) => TemplateError::Syntax { template: self.name.clone(), line, exception },
            None => TemplateError::Inputs(exception),
        })
    }

    /// The source, line ends as newlines.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What messages call the template.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where `strftime_now` takes the time from.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// True when the template marks what the model generates.
    pub fn has_generation_tags(&self) -> bool {
        self.generation_tags > 0
    }

    /// Variables that the template reads and that no call of `apply_chat_template` gives: its options, by name.
    pub fn options(&self) -> Vec<String> {
        const GIVEN: [&str; 8] = [
            "messages",
            "tools",
            "documents",
            "add_generation_prompt",
            "raise_exception",
            "strftime_now",
            "namespace",
            "range",
        ];
        let Ok(template) = self.env.get_template(TEMPLATE) else { return Vec::new() };
        let mut names: Vec<String> = template
            .undeclared_variables(false)
            .into_iter()
            .filter(|name| {
                !(GIVEN.contains(&name.as_str()) || name.ends_with("_token") || name.starts_with('_'))
            })
            .filter(|name| !self.env.globals().any(|(global, _)| global == name))
            .collect();
        names.sort_unstable();
        names.truncate(MOST_OPTIONS);
        names
    }

    /// Renders a conversation.
    ///
    /// # Errors
    /// [`TemplateError::Inputs`] where transformers refuses the inputs, [`TemplateError::Raised`] where
    /// the template raises, [`TemplateError::Limit`] where it does not end within its means.
    pub fn render(&self, inputs: &Inputs) -> Result<Rendered, TemplateError> {
        self.render_to(inputs, Extent::Positions)
    }

    /// The text of [`Self::render`] alone, which takes less time.
    ///
    /// # Errors
    /// As [`Self::render`].
    pub fn text(&self, inputs: &Inputs) -> Result<String, TemplateError> {
        Ok(self.render_to(inputs, Extent::Text)?.text)
    }

    /// True where the text depends on nothing but the inputs.
    fn is_timeless(&self) -> bool {
        self.clock != Clock::System || !self.source.contains("strftime_now")
    }

    fn render_to(&self, inputs: &Inputs, extent: Extent) -> Result<Rendered, TemplateError> {
        if let Some(refusal) = self.refusal() {
            return Err(refusal);
        }
        let inputs = &release::inputs(self.release, inputs);
        let is_plain = inputs.continue_final_message.field().is_none() && !inputs.messages.is_empty();
        if is_plain && self.is_timeless() {
            return self.render_remembered(inputs, extent);
        }
        self.render_anew(inputs, extent)
    }

    /// Takes what this thread rendered last, where it is the same.
    fn render_remembered(&self, inputs: &Inputs, extent: Extent) -> Result<Rendered, TemplateError> {
        let values = match last_conversation::find(self.number, inputs, extent) {
            Found::Rendered(rendered) => return Ok(rendered),
            Found::Values(values) => values,
            Found::Nothing => template_values(&self.normalised(inputs)?),
        };
        let rendered = self.run(inputs, &values, extent)?;
        last_conversation::keep(self.number, inputs, extent, &values, &rendered);
        Ok(rendered)
    }

    /// What transformers makes of messages, tools and documents before a template sees them.
    fn normalised(&self, inputs: &Inputs) -> Result<Vec<Value>, TemplateError> {
        let messages = match self.release {
            Release::V5 => input::normalise(inputs.messages),
            release => release::messages(release, inputs.messages),
        };
        let messages = messages.map_err(TemplateError::Inputs)?;
        input::check_lists(inputs.tools, inputs.documents).map_err(TemplateError::Inputs)?;
        Ok(messages)
    }

    fn render_anew(&self, inputs: &Inputs, extent: Extent) -> Result<Rendered, TemplateError> {
        let mut messages = self.normalised(inputs)?;
        let continuation = match inputs.continue_final_message.field() {
            None => None,
            Some(_) if inputs.add_generation_prompt => {
                let message = "continue_final_message and add_generation_prompt are not compatible. Use \
                    continue_final_message when you want the model to continue the final message, and \
                    add_generation_prompt when you want to add a header that will prompt it to start a new \
                    assistant message instead.";
                return Err(TemplateError::Inputs(PythonException::new("ValueError", message)));
            }
            Some(field) => Some(
                input::Continuation::prepare(&mut messages, field, &self.source)
                    .map_err(TemplateError::Inputs)?,
            ),
        };
        let mut rendered = self.run(inputs, &template_values(&messages), extent)?;
        match continuation {
            None => Ok(rendered),
            // transformers refuses a mask together with continue_final_message.
            Some(continuation) => {
                let text =
                    continuation.cut(std::mem::take(&mut rendered.text)).map_err(TemplateError::Inputs)?;
                Ok(Rendered { text, spans: Vec::new(), ..rendered })
            }
        }
    }

    fn run(&self, inputs: &Inputs, messages: &[Engine], extent: Extent) -> Result<Rendered, TemplateError> {
        let size = messages.iter().filter_map(Engine::len).sum::<usize>();
        let _watched = guard::watch(|| self.name.clone(), guard::time_for(size << 10));
        guard::contain(|| self.run_unwatched(inputs, messages, extent))
            .unwrap_or_else(|panic| Err(failed(&self.name, &panic)))
    }

    fn run_unwatched(
        &self,
        inputs: &Inputs,
        messages: &[Engine],
        extent: Extent,
    ) -> Result<Rendered, TemplateError> {
        let (variables, tracker) = variables(self.release, inputs, messages);
        let bytes = evaluate(&self.env, variables, tracker.clone()).map_err(|error| {
            let exception =
                error::is_about_undefined(&error).then(|| self.undefined_exception(inputs, messages));
            match (exception.flatten(), error::from_engine(&error, &self.name)) {
                (Some(exception), TemplateError::Raised { template, line, .. }) => {
                    TemplateError::Raised { template, line, exception }
                }
                (_, error) => error,
            }
        })?;
        // The engine writes whole strings, so the bytes are UTF-8.
        let text = String::from_utf8(bytes).map_err(|_| {
            let exception = PythonException::new("UnicodeError", "the template wrote broken text");
            TemplateError::Raised { template: self.name.clone(), line: 0, exception }
        })?;
        if extent == Extent::Text {
            return Ok(Rendered { text, ..Rendered::default() });
        }
        let spans = tracker.spans(&text);
        // The engine takes the next message early for `loop.nextitem`.
        let turn_starts = match self.source.contains("nextitem") {
            true => Vec::new(),
            false => tracker.turn_starts(),
        };
        Ok(Rendered { text, spans, turn_starts })
    }

    /// Python's exception for the undefined value that a rendering failed on; see [`undefined`].
    fn undefined_exception(&self, inputs: &Inputs, messages: &[Engine]) -> Option<PythonException> {
        let source = undefined::rewrite(&engine_source(generation::rewrite(&self.source).source))?;
        let last = undefined::LastMiss::default();
        let mut env = environment::build(self.clock);
        if self.release <= Release::V4_37 {
            release::without_later_parts(&mut env);
        }
        env.set_debug(true);
        env.set_unknown_method_callback(last.callback());
        compile(&mut env, source).ok()?.ok()?;
        let (variables, tracker) = variables(self.release, inputs, messages);
        let error = evaluate(&env, variables, tracker).err()?;
        if !error::is_about_undefined(&error) {
            return None;
        }
        last.exception(error::undefined_variable(&error))
    }
}

/// The source as the engine gets it.
fn engine_source(source: String) -> String {
    stored::rewrite(iteration::rewrite(compared::rewrite(source)))
}

/// Parses and compiles, which goes down a level for each operator of a chain.
fn compile(
    env: &mut Environment<'static>,
    source: String,
) -> Result<Result<(), minijinja::Error>, guard::Panic> {
    guard::large_stack(|| env.add_template_owned(TEMPLATE, source))
}

/// The engine itself failed on a template.
fn failed(template: &str, panic: &guard::Panic) -> TemplateError {
    let limit = format!("the engine failed on it ({panic})");
    TemplateError::Limit { template: template.into(), line: 0, limit }
}

/// A value of the engine.
type Engine = minijinja::Value;

fn template_values(messages: &[Value]) -> Vec<Engine> {
    messages.iter().map(input::template_value).collect()
}

/// A number that no other template of this process has.
fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

type Variables = std::collections::BTreeMap<String, minijinja::Value>;

/// Everything the template can name, later entries winning, and what watches the rendering.
fn variables(release: Release, inputs: &Inputs, messages: &[Engine]) -> (Variables, Arc<Tracker>) {
    let mut variables = Variables::new();
    let mut set = |name: &str, value: minijinja::Value| variables.insert(name.to_string(), value);
    let messages = Engine::from(messages.to_vec());
    let tracker = Arc::new(Tracker::new(&messages));
    set("messages", messages);
    if release > Release::V4_37 {
        set("tools", input::list_value(inputs.tools));
        set("documents", input::list_value(inputs.documents));
    }
    set("add_generation_prompt", minijinja::Value::from(inputs.add_generation_prompt));
    for (name, value) in inputs.special_tokens.into_iter().chain(inputs.kwargs).flatten() {
        set(name, input::template_value(value));
    }
    set(tracker::VARIABLE, environment::tracker_value(&tracker));
    (variables, tracker)
}

/// Runs the environment's template and gives the bytes it wrote.
fn evaluate(
    env: &Environment<'static>,
    variables: Variables,
    tracker: Arc<Tracker>,
) -> Result<Vec<u8>, minijinja::Error> {
    let mut sink = environment::Sink { bytes: Vec::new(), tracker };
    env.get_template(TEMPLATE)?.render_captured_to(minijinja::Value::from(variables), &mut sink)?;
    Ok(sink.bytes)
}

/// Options of a template that are looked at.
const MOST_OPTIONS: usize = 8;

/// The engine's name of the one template in each environment.
const TEMPLATE: &str = "chat_template";
