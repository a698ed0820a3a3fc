//! Chat templates.

use crate::run::{Ran, folder, run};

const MESSAGES: &str = r#"{"id": "m", "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]}"#;

/// Labels one conversation by a template.
fn render(name: &str, template: &str) -> Ran {
    let dir = folder(&[("t.jinja", template.into()), ("m.jsonl", MESSAGES.into())]);
    run(name, dir.path(), &["inspect", "--template", "t.jinja", "-d", "m.jsonl", "--format", "jsonl"], b"")
}

/// Each of the statements runs on the first of two samples: that one is an error of its own, and the one behind it is labelled.
fn cost_their_sample_only(statements: &[String]) {
    let wrong: Vec<String> =
        statements.iter().filter_map(|statements| more_than_its_sample(statements)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn more_than_its_sample(statements: &str) -> Option<String> {
    let template = format!(
        "{{% for m in messages %}}{{{{ m.content }}}}{{% endfor %}}\
         {{% if messages[0].content == 'bad' %}}{statements}{{% endif %}}"
    );
    let samples = format!("{}\n{MESSAGES}\n", MESSAGES.replace("hi", "bad"));
    let dir = folder(&[("t.jinja", template.into()), ("m.jsonl", samples.into())]);
    let arguments = ["inspect", "--template", "t.jinja", "-d", "m.jsonl", "--format", "jsonl"];
    let ran = run(statements, dir.path(), &arguments, b"");
    let lines: Vec<&str> = ran.stdout.lines().collect();
    let is_counted = lines.first().is_some_and(|line| line.contains("t.jinja, line"));
    let goes_on = lines.get(1).is_some_and(|line| line.contains("\"error\":null"));
    (!is_counted || !goes_on).then(|| format!("{statements}:\n{}{}", ran.stdout, ran.stderr))
}

/// The template is refused before or while it runs, by name, whether the run ends or its sample is counted.
fn refused(name: &str, template: &str) {
    let ran = render(name, template);
    let said = ran.stdout.contains("t.jinja") || ran.stderr.contains("t.jinja");
    let is_error = ran.code == Some(2) || !ran.stdout.contains("\"error\":null");
    assert!(said && is_error, "{name}: {:?} {} {}", ran.code, ran.stdout, ran.stderr);
}

#[test]
fn sources_that_nest_without_brackets() {
    let chain = |operator: &str, times: usize| format!("{{{{ 1{} }}}}", operator.repeat(times));
    refused("signs", &format!("{{{{ {}1 }}}}", "-".repeat(20_000)));
    refused("nots", &format!("{{{{ {}true }}}}", "not ".repeat(31_000)));
    for (operator, times) in [
        ("~1", 300_000),
        ("+1", 300_000),
        (" and 1", 150_000),
        ("**1", 200_000),
        ("()", 400_000),
        ("[0]", 300_000),
        (".a", 400_000),
        ("|string", 120_000),
        (" is none", 100_000),
        (" if 1", 180_000),
        (" if 1 else 1", 80_000),
        (" == 1", 150_000),
    ] {
        refused(operator, &chain(operator, times));
    }
    for times in [2_500, 7_300] {
        refused("elifs", &format!("{{% if a %}}{}{{% endif %}}", "{% elif b %}x".repeat(times)));
    }
    refused("elses", &format!("{}{}", "{% if a %}{% else %}".repeat(5_000), "{% endif %}".repeat(5_000)));
    refused("brackets", &format!("{{{{ {}1{} }}}}", "[".repeat(50_000), "]".repeat(50_000)));
}

#[test]
fn a_source_of_usual_size_is_no_chain() {
    let text = "{{ 'a' ~ 'b' ~ messages[0].content }}".repeat(300);
    let many = format!("{}{}", "{% if messages %}x{% elif tools %}y{% endif %}".repeat(500), text);
    render("a long template", &many).done();
}

#[test]
fn work_inside_one_operation() {
    let doubled = |end: &str| {
        format!(
            "{{% set ns = namespace(a=[1], b=[1]) %}}{{% for i in range(60) %}}{{% set ns.a = [ns.a, ns.a] %}}\
             {{% set ns.b = [ns.b, ns.b] %}}{{% endfor %}}{end}"
        )
    };
    for end in [
        "{{ ns.a == ns.b }}",
        "{{ ns.a < ns.b }}",
        "{{ ns.a in [ns.b] }}",
        "{{ [ns.b].index(ns.a) }}",
        "{{ [ns.b].count(ns.a) }}",
        "{{ [ns.a, ns.b] | sort }}",
        "{{ [ns.a, ns.b] | unique | list }}",
        "{{ ns.a }}",
        "{{ ns.a | tojson }}",
        "{{ {ns.a: 1}[ns.b] }}",
    ] {
        refused(end, &doubled(end));
    }
    let grown = |end: &str| {
        format!(
            "{{% set ns = namespace(x=[1, 2]) %}}{{% for i in range(40) %}}{{% set ns.x = ns.x + ns.x %}}{{% endfor %}}\
             {end}"
        )
    };
    for end in [
        "{{ 3 in ns.x }}",
        "{{ ns.x | sort }}",
        "{{ ns.x | join }}",
        "{{ ns.x[::-1] }}",
        "{{ ns.x | length }}{{ ns.x | last }}{{ 1 // 0 }}",
        "{{ ns.x.index(3) }}",
        "{{ ns.x.count(3) }}",
        "{{ ','.join(ns.x) }}",
        "{{ ns.x | tojson }}",
        "{{ ns.x | string }}",
        "{{ ns.x | max }}",
        "{% for a in ns.x %}{% endfor %}",
    ] {
        refused(end, &grown(end));
    }
    refused("concatenated numbers", &format!("{{{{ 1{} }}}}", "~1".repeat(20_000)));
    let concatenated = "{% set ns = namespace(x='') %}{% for i in range(100000) %}{% set ns.x = ns.x ~ 'abcdefgh' %}\
        {% endfor %}";
    refused("a text that grows", concatenated);
    let nested = "{% set ns = namespace(x=[]) %}{% for i in range(1000) %}{% for j in range(1000) %}\
        {% set ns.x = [ns.x] %}{% endfor %}{% endfor %}{{ ns.x == [ns.x] }}";
    refused("nested too deep", nested);
    let with = format!(
        "{}{{{{ x == y }}}}{}",
        "{% with x=[x, x], y=[y, y] %}".repeat(100),
        "{% endwith %}".repeat(100)
    );
    refused("doubled by with", &with);
    let recursive = "{% macro m(a, b, n) %}{% if n > 0 %}{{ m([a, a], [b, b], n - 1) }}{% else %}{{ a == b }}{% endif %}\
        {% endmacro %}{{ m([1], [1], 60) }}";
    refused("doubled by a macro", recursive);
}

#[test]
fn work_inside_one_operation_costs_its_sample_only() {
    // Doubled by `with`, which is bound without being built by a `set`.
    let doubled = |end: &str| {
        let with = "{% with x=[x, x], y=[y, y] %}".repeat(60);
        format!("{{% set x = [1] %}}{{% set y = [1] %}}{with}{end}{}", "{% endwith %}".repeat(60))
    };
    let mut all: Vec<String> = [
        "{{ x == y }}",
        "{{ 1 if x != y }}",
        "{{ x < y <= x }}",
        "{{ x in [y] }}",
        "{{ x not in (y, 1) }}",
        "{{ [y].index(x) }}",
        "{{ [y].count(x) }}",
        "{{ [x, y] | sort | length }}",
        "{{ [x, y] | unique | list | length }}",
        "{{ [x, y] | max | length }}",
        "{{ [x, y] | min | length }}",
        "{{ [{'a': x}, {'a': y}] | groupby('a') | length }}",
        "{{ {'a': x, 'b': y} | dictsort(by='value') | length }}",
        "{{ x is eq(y) }}",
        "{{ x is in([y]) }}",
        "{{ [x] | select('eq', y) | list | length }}",
        "{{ [{'a': x}] | selectattr('a', 'lt', y) | list | length }}",
        "{{ {x: 1}[y] }}",
        "{{ {'a': 1}[y] }}",
        "{{ {'a': 1}.get(y) }}",
        "{{ x }}",
        "{{ x | tojson }}",
        "{{ x | string | length }}",
        "{{ x ~ 'a' }}",
        "{{ [x] | join | length }}",
        "{{ x | pprint }}",
        "{{ x | title | length }}",
        "{{ x | upper | length }}",
        "{{ x | capitalize | length }}",
        "{{ x | escape | length }}",
        "{{ x | indent | length }}",
        "{{ x | replace('a', 'b') | length }}",
        "{{ '%s' | format(x) | length }}",
        "{{ '{}'.format(x) | length }}",
        "{{ 'a' in x ~ '' }}",
        "{{ raise_exception(x) }}",
        "{{ [[x]] | map('join') | list }}",
        "{{ ([x] | map('default', 1)) == y }}",
        "{{ y == ([x] | map('default', 1)) }}",
        "{{ [x].index(y) }}",
        "{{ x in 'abc' }}",
        "{{ 'a' if [x, 1] == [y, 1] }}",
    ]
    .map(doubled)
    .to_vec();
    // Each operation is short, and none of them is paid for by what it makes.
    let repeated = |statement: &str| {
        format!(
            "{{% set a = 'x' * 8000000 %}}{{% set b = a ~ 'y' %}}{{% set a = a ~ 'z' %}}\
             {{% set l = range(50000) | list %}}{{% set k = range(50000) | list %}}\
             {{% for i in range(100000) %}}{statement}{{% endfor %}}"
        )
    };
    all.extend(
        [
            "{% if a == b %}{% endif %}",
            "{% if a < b %}{% endif %}",
            "{% if a.count('q') %}{% endif %}",
            "{% if a.find('q') %}{% endif %}",
            "{% if a.startswith(b) %}{% endif %}",
            "{% if a.isalpha() %}{% endif %}",
            "{% if 'q' in a %}{% endif %}",
            "{% if a | length == 1 %}{% endif %}",
            "{% if [a] == [b] %}{% endif %}",
            "{% if {'a': a} == {'a': b} %}{% endif %}",
            "{% if [[l]] == [[k]] %}{% endif %}",
            "{% if [[l]].index([k]) %}{% endif %}",
            "{% if a is eq(b) %}{% endif %}",
            "{% if {'a': 1}[a] %}{% endif %}",
            "{% if a.split('q')[0] == 'a' %}{% endif %}",
            "{% if a | wordcount == 0 %}{% endif %}",
            "{% if a is lower %}{% endif %}",
        ]
        .map(repeated),
    );
    let multiplied = "{% set s = 'x' * 4000000 %}{% set t = s ~ 'z' %}{% set s = s ~ 'y' %}{{ [s] * 90000 == [t] * 90000 }}\
        {% set s = [s] * 90000 %}{% set t = [t] * 90000 %}{{ s == t }}{{ s < t }}{{ 1 // 0 }}";
    all.push(multiplied.to_string());
    cost_their_sample_only(&all);
}

#[test]
fn output_without_end() {
    refused("sixty long texts", &"{{ 'x' * 1000000 }}".repeat(60));
    refused(
        "a set block",
        &format!("{{% set a %}}{}{{% endset %}}{{{{ a }}}}", "{{ 'x' * 1000000 }}".repeat(60)),
    );
    refused("a text of a gigabyte", "{{ 'x' * 1000000000 }}");
    refused("a padded text", "{{ 'x'.ljust(1000000000) }}");
    refused("a formatted text", "{{ '%999999999d' | format(1) }}");
    refused("an indented text", "{{ ('x\n' * 100000) | indent(100000) }}");
    refused("a loop", "{% for i in range(100000) %}{% for j in range(100000) %}x{% endfor %}{% endfor %}");
}
