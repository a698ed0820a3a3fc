//! Rendering as a whole: the rules of transformers, and templates that mean harm.

use serde_json::{Map, Value, json};

use super::*;

fn render(source: &str) -> Result<Rendered, TemplateError> {
    render_with(source, &[json!({"role": "user", "content": "hi"})])
}

fn render_with(source: &str, messages: &[Value]) -> Result<Rendered, TemplateError> {
    let tokens = json!({"eos_token": "</s>"}).as_object().cloned().unwrap_or_default();
    let inputs = Inputs { messages, special_tokens: Some(&tokens), ..Inputs::default() };
    ChatTemplate::new("test.jinja", source, Clock::parse("2026-11-23").unwrap())?.render(&inputs)
}

fn text(source: &str) -> String {
    render(source).map_or_else(|error| error.to_string(), |rendered| rendered.text)
}

#[test]
fn values_print_as_in_python() {
    for (source, expected) in [
        (
            "{{ [true, none, 1.0, 1e-7, 'a\\'b', {'k': [1]}] }}",
            r#"[True, None, 1.0, 1e-07, "a'b", {'k': [1]}]"#,
        ),
        ("{{ none }}|{{ missing }}|{{ (1,) }}|{{ 7 // 2 }}|{{ -7 // 2 }}|{{ 3 / 2 }}", "None||(1,)|3|-4|1.5"),
        ("{{ 'x' ~ [1] ~ none ~ true }}", "x[1]NoneTrue"),
        ("{{ messages | tojson }}", r#"[{"role": "user", "content": "hi"}]"#),
        ("{{ {'b': 1, 'a': '<é>'} | tojson(indent=2) }}", "{\n  \"b\": 1,\n  \"a\": \"<é>\"\n}"),
        (
            "{{ {'b': 1, 'a': '<é>'} | tojson(sort_keys=true, ensure_ascii=true) }}",
            r#"{"a": "<\u00e9>", "b": 1}"#,
        ),
        ("{{ [1, {}] | tojson(separators=(',', ':')) }}", "[1,{}]"),
    ] {
        assert_eq!(text(source), expected, "{source}");
    }
}

#[test]
fn tests_methods_and_generators_are_python_s() {
    for (source, expected) in [
        (
            "{{ none is iterable }} {{ 'a' is sequence }} {{ {} is sequence }} {{ missing is iterable }}",
            "False True True True",
        ),
        (
            "{{ 'a,b,c'.rsplit(',', 1) }} {{ ' a  b '.split() }} {{ 'aXbX'.split('X', maxsplit=1) }}",
            "['a,b', 'c'] ['a', 'b'] ['a', 'bX']",
        ),
        ("{{ 'xxaxx'.strip('x') }} {{ 'abc'.index('c') }} {{ 'a-b'.partition('-') }}", "a 2 ('a', '-', 'b')"),
        (
            "{{ 'abc'.startswith(('b', 'a')) }} {{ 'abc'.removeprefix('a') }} {{ 'it\\'s ok'.title() }}",
            "True bc It'S Ok",
        ),
        ("{% if messages | selectattr('role', 'equalto', 'tool') %}always{% endif %}", "always"),
        ("{{ messages[::-1] | length }} {{ 'abc'[::-1] }} {{ messages[0].get('x', 'd') }}", "1 cba d"),
        ("{{ strftime_now('%d %b %Y') }}", "23 Nov 2026"),
        (
            "{% for i in range(9) %}{% if i == 2 %}{% continue %}{% elif i == 4 %}{% break %}{% endif %}{{ i }}{% endfor %}",
            "013",
        ),
    ] {
        assert_eq!(text(source), expected, "{source}");
    }
}

#[test]
fn exceptions_speak_python() {
    for (source, expected) in [
        ("{{ raise_exception('no') }}", "TemplateError: no"),
        ("{{ 'a' + [1] }}", "TypeError: can only concatenate str (not \"list\") to str"),
        ("{{ messages[0].content.text + 'a' }}", "UndefinedError: 'str object' has no attribute 'text'"),
        ("{{ bos_token + 'a' }}", "UndefinedError: 'bos_token' is undefined"),
        ("{{ messages[3].role }}", "UndefinedError: list object has no element 3"),
        (
            "{{ messages.append(1) }}",
            "SecurityError: access to attribute 'append' of 'list' object is unsafe.",
        ),
        ("{% for x in tools %}{% endfor %}", "TypeError: 'NoneType' object is not iterable"),
        ("{{ missing | tojson }}", "TypeError: Object of type Undefined is not JSON serializable"),
        ("{{ [] .strip() }}", "UndefinedError: 'list object' has no attribute 'strip'"),
    ] {
        let error = render(source).unwrap_err();
        assert_eq!(error.exception().map(ToString::to_string).as_deref(), Some(expected), "{source}");
        assert!(matches!(error, TemplateError::Raised { line: 1, .. }), "{error}");
    }
}

#[test]
fn generation_spans_are_where_transformers_puts_them() {
    let plain = render("é{% generation %}{{ messages[0].content }}{% endgeneration %}!").unwrap();
    assert_eq!(plain.spans, [Span { chars: 1..3, displaced: false }]);
    let in_macro = "abc{% macro m() %}xy{% generation %}z{% endgeneration %}{% endmacro %}{{ m() }}";
    let rendered = render(in_macro).unwrap();
    assert_eq!(
        (rendered.text.as_str(), rendered.spans),
        ("abcxyz", vec![Span { chars: 3..4, displaced: true }])
    );
    let scope = "{% set x = 1 %}{% generation %}{% set x = 2 %}{% endgeneration %}{{ x }}";
    assert_eq!(text(scope), "1");
}

#[test]
fn prompts_and_continuations() {
    let source = "{% for m in messages %}[{{ m.role }}]{{ m.content | trim }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}";
    let template = ChatTemplate::new("t", source, Clock::System).unwrap();
    let messages =
        [json!({"role": "user", "content": "q"}), json!({"role": "assistant", "content": "so far "})];
    let inputs = Inputs { messages: &messages, add_generation_prompt: true, ..Inputs::default() };
    assert_eq!(template.render(&inputs).unwrap().text, "[user]q[assistant]so far[assistant]");
    let continued = Inputs {
        add_generation_prompt: false,
        continue_final_message: ContinueFinalMessage::Content,
        ..inputs.clone()
    };
    assert_eq!(template.render(&continued).unwrap().text, "[user]q[assistant]so far");
    let both = Inputs { continue_final_message: ContinueFinalMessage::Content, ..inputs };
    assert!(matches!(template.render(&both), Err(TemplateError::Inputs(_))));
    let empty = Inputs::default();
    assert!(matches!(template.render(&empty), Err(TemplateError::Inputs(_))));
}

#[test]
fn kwargs_win_over_special_tokens() {
    let tokens: Map<String, Value> = [("bos_token".to_string(), json!("<s>"))].into_iter().collect();
    let kwargs: Map<String, Value> = [("bos_token".to_string(), json!("<b>"))].into_iter().collect();
    let template = ChatTemplate::new("t", "{{ bos_token }}", Clock::System).unwrap();
    let messages = [json!({"role": "user", "content": "q"})];
    let inputs = Inputs {
        messages: &messages,
        special_tokens: Some(&tokens),
        kwargs: Some(&kwargs),
        ..Inputs::default()
    };
    assert_eq!(template.render(&inputs).unwrap().text, "<b>");
}

#[test]
fn hostile_templates_end_with_the_line() {
    let nested_loops = "\n{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}x{% endfor %}{% endfor %}{% endfor %}";
    let growing = "\n{% set ns = namespace(t='aaaaaaaaaaaaaaaa') %}{% for i in range(99) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}";
    let sharing = "\n{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l | tojson }}";
    let printing = "\n{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}";
    let recursion = "\n{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}";
    for source in [
        nested_loops,
        growing,
        sharing,
        printing,
        recursion,
        "\n{{ 'a' * 99999999999 }}",
        "\n{{ ('a' * 9999999).replace('a', 'b' * 9999) }}",
        "\n{{ 'a'.center(99999999999) }}",
        "\n{{ 'a'.ljust(99999999999) }}",
        "\n{{ '{:99999999999}'.format(1) }}",
        "\n{{ '%99999999999d' | format(1) }}",
        "\n{{ 'a' | center(99999999999) }}",
        "\n{{ [1] * 99999999999 }}",
        "\n{{ ('a\\n' * 99999) | indent(99999999) }}",
    ] {
        let Err(error) = render(source) else { panic!("{source} rendered") };
        assert_eq!(error.line(), Some(2), "{source}: {error}");
    }
    assert!(matches!(render(nested_loops), Err(TemplateError::Limit { .. })));
    assert!(matches!(render(recursion), Err(TemplateError::Limit { .. })));
    assert!(matches!(render(sharing), Err(TemplateError::Limit { .. })));
}

#[test]
fn broken_templates_say_where() {
    for source in
        ["\n{% if %}", "\n{{ ", "\n{% generation %}", "\n{% endgeneration %}", "\n{% for x in %}{% endfor %}"]
    {
        let error = render(source).unwrap_err();
        assert!(matches!(error, TemplateError::Syntax { line: 2, .. }), "{source}: {error}");
    }
    let deep = format!("{{{{ {}1{} }}}}", "(".repeat(5000), ")".repeat(5000));
    assert!(render(&deep).is_err());
    let blocks = format!("{}{}", "{% if 1 %}".repeat(3000), "{% endif %}".repeat(3000));
    assert!(render(&blocks).is_err());
}

#[test]
fn one_template_serves_many_threads() {
    let template =
        ChatTemplate::new("t", "{% generation %}{{ messages[0].content }}{% endgeneration %}", Clock::System)
            .unwrap();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4_usize)
            .map(|n| {
                let template = &template;
                scope.spawn(move || {
                    let messages = [json!({"role": "user", "content": "x".repeat(n + 1)})];
                    let inputs = Inputs { messages: &messages, ..Inputs::default() };
                    template.render(&inputs).unwrap().spans[0].chars.clone()
                })
            })
            .collect();
        for (n, thread) in threads.into_iter().enumerate() {
            assert_eq!(thread.join().unwrap(), 0..n + 1);
        }
    });
}

/// Where each message's turn begins, as text: what the rendering has from there up to the next start.
fn turns(source: &str) -> Vec<Option<String>> {
    let messages: Vec<Value> =
        ["s", "q", "a"].iter().map(|text| json!({"role": "user", "content": text})).collect();
    let rendered = render_with(source, &messages).unwrap();
    let starts = &rendered.turn_starts;
    let turn = |index: usize| {
        let end = starts.get(index + 1).copied().flatten().unwrap_or(rendered.text.len());
        Some(rendered.text[starts[index]?..end].to_string())
    };
    (0..starts.len()).map(turn).collect()
}

#[test]
fn loops_over_the_messages_show_where_turns_begin() {
    let some = |texts: [&str; 3]| texts.map(|text| Some(text.to_string())).to_vec();
    let plain = "<s>{% for m in messages %}[{{ m.content }}{{ ']' }}{% endfor %}";
    assert_eq!(turns(plain), some(["[s]", "[q]", "[a]"]));
    // A loop that only looks before the one that writes, and a macro that writes one turn.
    let twice = "{% set n = namespace(last=0) %}{% for m in messages %}{% set n.last = loop.index0 %}{% endfor %}\
                 {% macro turn(m) %}[é{{ m.content }}]{% endmacro %}{% for m in messages %}{{ turn(m) }}{% endfor %}";
    assert_eq!(turns(twice), some(["[és]", "[éq]", "[éa]"]));
    let behind_the_first =
        "{{ messages[0].content }}|{% for m in messages[1:] %}[{{ m.content }}]{% endfor %}";
    assert_eq!(turns(behind_the_first), [None, Some("[q]".into()), Some("[a]".into())]);
    let renamed =
        "{% set rest = messages[1:] %}{% for m in rest %}[{{ loop.length }}{{ m.content }}]{% endfor %}";
    assert_eq!(turns(renamed), [None, Some("[2q]".into()), Some("[2a]".into())]);
}

#[test]
fn starts_that_say_nothing_are_seen_as_such() {
    let collected = "{% set all %}{% for m in messages %}{{ m.content }}{% endfor %}{% endset %}{{ all }}";
    assert_eq!(turns(collected), [Some(String::new()), Some(String::new()), Some("sqa".into())]);
    for unseen in
        ["{{ messages[0].content }}", "{% for m in messages | reverse %}{{ m.content }}{% endfor %}"]
    {
        assert_eq!(turns(unseen), [None, None, None], "{unseen}");
    }
    // The engine takes the next message early here.
    let ahead = "{% for m in messages %}{{ m.content }}{{ '.' if loop.nextitem is defined }}{% endfor %}";
    assert_eq!(turns(ahead), []);
}

/// Whatever was rendered before on this thread, a rendering is that of its own inputs.
#[test]
fn what_is_remembered_is_what_would_be_rendered() {
    let source = "{% for m in messages %}{% generation %}<{{ m.role }}>{{ m.content }}{% endgeneration %}{% endfor %}\
        {% if tools %}{{ tools | length }}{% endif %}{{ bos_token }}{{ mood }}{% if add_generation_prompt %}>{% endif %}";
    let template = ChatTemplate::new("t", source, Clock::System).unwrap();
    let messages = [json!({"role": "a", "content": "é1"}), json!({"role": "b", "content": "2"})];
    let others = [json!({"role": "a", "content": "é1"}), json!({"role": "b", "content": "3"})];
    let more = [json!({"role": "a", "content": "é1", "name": null}), json!({"role": "b", "content": "2"})];
    let tools = [json!({"type": "function"})];
    let (bos, mood) = (json!({"bos_token": "<s>"}), json!({"mood": "!"}));
    let mut calls = Vec::new();
    for messages in [&messages[..], &others[..], &messages[..1], &more[..]] {
        for tools in [None, Some(&tools[..])] {
            for (special_tokens, kwargs) in [(None, None), (bos.as_object(), mood.as_object())] {
                for add_generation_prompt in [false, true] {
                    let inputs = Inputs { messages, tools, special_tokens, kwargs, ..Inputs::default() };
                    calls.push(Inputs { add_generation_prompt, ..inputs });
                }
            }
        }
    }
    let alone = |inputs: &Inputs| {
        let fresh = ChatTemplate::new("t", source, Clock::System).unwrap();
        fresh.render(inputs).unwrap()
    };
    // In one order and the other, and each twice.
    for inputs in calls.iter().chain(calls.iter().rev()) {
        let expected = alone(inputs);
        assert_eq!(template.text(inputs).unwrap(), expected.text);
        assert_eq!(template.render(inputs).unwrap(), expected);
        assert_eq!(template.render(inputs).unwrap(), expected);
        assert_eq!(expected.spans.len(), inputs.messages.len());
    }
}

/// JSON values that are equal need not print alike.
#[test]
fn the_order_of_keys_and_the_sign_of_zero_are_not_forgotten() {
    let template =
        ChatTemplate::new("t", "{{ messages[0].content | tojson }}{{ tools | tojson }}", Clock::System)
            .unwrap();
    let pairs = [(json!({"a": 1, "b": 2}), json!({"b": 2, "a": 1})), (json!([0.0]), json!([-0.0]))];
    for (a, b) in pairs {
        assert_eq!(a, b);
        let texts = [(&a, &a), (&b, &a), (&a, &b), (&b, &b)].map(|(content, tool)| {
            let (messages, tools) = ([json!({"role": "user", "content": content})], [json!({"x": tool})]);
            template.text(&Inputs { messages: &messages, tools: Some(&tools), ..Inputs::default() }).unwrap()
        });
        for (index, text) in texts.iter().enumerate() {
            assert!(!texts[..index].contains(text), "{texts:?}");
        }
    }
}
