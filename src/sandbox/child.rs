//! The child process: the interpreter, and the loop that serves the parent over standard input and output.

use std::cell::RefCell;
use std::io::{BufRead, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustpython_vm::builtins::{PyDictRef, PyStrRef};
use rustpython_vm::compiler::Mode;
use rustpython_vm::{AsObject, Interpreter, PyObjectRef, PyResult, Settings, VirtualMachine};
use serde_json::{Value, json};

use super::json::{from_python, to_python};
use super::limits;
use super::protocol::TIME_IS_UP;
use super::regex::Patterns;
use super::sources;

/// Stack of the interpreter's thread: deep recursion of Python ends in its own error before this is used up.
const STACK: usize = 128 << 20;
/// Calls that may lie in each other.
const RECURSION: usize = 900;
/// Longest time that one request may take, should the parent not end the child before.
const LONGEST: Duration = Duration::from_secs(60);

/// When the present request began, in milliseconds of the process's life; 0 between requests.
static BUSY_SINCE: AtomicU64 = AtomicU64::new(0);

/// Runs the child until its standard input ends.
pub fn main() -> ExitCode {
    let began = Instant::now();
    let watch = std::thread::Builder::new().name("watchdog".into()).spawn(move || watchdog(began));
    let served = std::thread::Builder::new().stack_size(STACK).spawn(move || serve(began));
    match (watch, served.map(std::thread::JoinHandle::join)) {
        (Ok(_), Ok(Ok(()))) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn watchdog(began: Instant) {
    loop {
        std::thread::sleep(Duration::from_millis(200));
        let since = BUSY_SINCE.load(Ordering::Relaxed);
        if since != 0 && began.elapsed() > Duration::from_millis(since) + LONGEST {
            std::process::exit(TIME_IS_UP);
        }
    }
}

fn serve(began: Instant) {
    if let Err(error) = limits::apply() {
        return send(
            &json!({"done": {"error": {"type": "OSError", "message": format!("the limits cannot be set: {error}")}}}),
        );
    }
    let mut settings = Settings::default();
    settings.isolated = true;
    settings.import_site = false;
    settings.install_signal_handlers = false;
    settings.write_bytecode = false;
    let interpreter = Interpreter::without_stdlib(settings);
    interpreter.enter(|vm| {
        vm.recursion_limit.set(RECURSION);
        match driver(vm) {
            Ok(handle) => serve_requests(vm, &handle, began),
            Err(exception) => {
                let message = described(vm, exception.as_object());
                send(&json!({"done": {"error": {"type": "RuntimeError", "message": message}}}));
            }
        }
    });
}

/// The driver's function `handle`.
fn driver(vm: &VirtualMachine) -> PyResult<PyObjectRef> {
    let scope = vm.new_scope_with_builtins();
    scope.globals.set_item("__name__", vm.ctx.new_str("__driver__").into(), vm)?;
    scope.globals.set_item("_host", host(vm)?, vm)?;
    let text = sources::driver();
    let code = vm
        .compile(&text, Mode::Exec, "<maskscope driver>".to_string())
        .map_err(|error| vm.new_syntax_error(&error, Some(text.as_str())))?;
    vm.run_code_obj(code, scope.clone())?;
    scope.globals.get_item("handle", vm)
}

/// The object through which Python reaches the parent, the stand-ins' texts and regular expressions.
fn host(vm: &VirtualMachine) -> PyResult<PyObjectRef> {
    let functions: PyDictRef = vm.ctx.new_dict();
    let ask = vm.new_function("ask", |question: PyObjectRef, vm: &VirtualMachine| -> PyResult {
        send(&from_python(&question, vm)?);
        match receive() {
            Some(answer) => to_python(&answer, vm),
            // The parent is gone: nothing is left to do.
            None => std::process::exit(0),
        }
    });
    functions.set_item("ask", ask.into(), vm)?;
    let source = vm.new_function("source", |name: PyStrRef, vm: &VirtualMachine| -> PyResult {
        Ok(sources::module(&name.to_string_lossy()).map_or(vm.ctx.none(), |text| vm.ctx.new_str(text).into()))
    });
    functions.set_item("source", source.into(), vm)?;
    let compile =
        vm.new_function("regex", |pattern: PyStrRef, flags: i64, vm: &VirtualMachine| -> PyResult {
            let made = PATTERNS.with(|shared| shared.borrow_mut().compile(&pattern.to_string_lossy(), flags));
            to_python(&made, vm)
        });
    functions.set_item("regex", compile.into(), vm)?;
    let find = vm.new_function(
        "regex_find",
        |number: usize, text: PyStrRef, mode: PyStrRef, vm: &VirtualMachine| -> PyResult {
            let text = text.to_string_lossy();
            let found = PATTERNS.with(|shared| shared.borrow().find(number, &text, &mode.to_string_lossy()));
            to_python(&found, vm)
        },
    );
    functions.set_item("regex_find", find.into(), vm)?;
    let loads = vm.new_function("json_loads", |text: PyStrRef, vm: &VirtualMachine| -> PyResult {
        match serde_json::from_str::<Value>(&text.to_string_lossy()) {
            Ok(value) => to_python(&json!([true, value]), vm),
            Err(error) => to_python(&json!([null, error.to_string()]), vm),
        }
    });
    functions.set_item("json_loads", loads.into(), vm)?;
    Ok(vm.new_module("_host", functions, None).into())
}

thread_local! {
    static PATTERNS: RefCell<Patterns> = RefCell::new(Patterns::default());
}

fn serve_requests(vm: &VirtualMachine, handle: &PyObjectRef, began: Instant) {
    while let Some(request) = receive() {
        let now = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        BUSY_SINCE.store(now.max(1), Ordering::Relaxed);
        let answer = to_python(&request, vm)
            .and_then(|request| handle.call((request,), vm))
            .and_then(|answer| from_python(&answer, vm))
            .unwrap_or_else(|exception| {
                let message = described(vm, exception.as_object());
                json!({"error": {"type": "RuntimeError", "message": message}})
            });
        BUSY_SINCE.store(0, Ordering::Relaxed);
        send(&json!({"done": answer}));
    }
}

fn described(vm: &VirtualMachine, exception: &rustpython_vm::PyObject) -> String {
    let text = exception.str(vm).map(|text| text.to_string_lossy().into_owned()).unwrap_or_default();
    format!("{}: {text}", exception.class().name())
}

fn send(value: &Value) {
    let mut out = std::io::stdout().lock();
    let written = serde_json::to_writer(&mut out, value).map_err(std::io::Error::from);
    if written.and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

fn receive() -> Option<Value> {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line).ok()?;
    if read == 0 { None } else { serde_json::from_str(&line).ok() }
}
