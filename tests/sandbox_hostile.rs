//! Code that means harm, run as a label function: it must end within its limits, with a message, having read, written and
//! started nothing.
//!
//! A function that gets hold of something that it should not have returns the label 666.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use maskscope::chat::{Sample, Turn};
use maskscope::repository::{CallOptions, Checkout, FunctionChoice, RepositoryFunction, find, read};
use maskscope::samples::SampleTokenizer;
use maskscope::sandbox::SandboxLimits;
use maskscope::tokenizer::{LoadOptions, Tokenizer, load};

/// What a function may come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// With a message: an exception, or the sandbox's own.
    WithError,
    /// With or without one; but harmless.
    Either,
}
use Ends::{Either, WithError};

/// Name, body of `def f(sources, tokenizer)`, and how it ends. `CANARY` is the path of a file outside the repository.
const FUNCTIONS: &[(&str, &str, Ends)] = &[
    // Time.
    ("endless loop", "while True: pass", WithError),
    ("endless iterator", "for _ in iter(int, 1): pass", WithError),
    ("endless sum", "return sum(range(10 ** 13))", WithError),
    (
        "endless retry",
        "while True:\n        try:\n            while True: pass\n        except BaseException: pass",
        WithError,
    ),
    ("endless generator", "def g():\n        while True: yield 1\n    return sum(g())", WithError),
    (
        "endless equality",
        "class A:\n        def __eq__(self, o):\n            while True: pass\n    return A() == A()",
        WithError,
    ),
    (
        "endless index",
        "class A:\n        def __index__(self):\n            while True: pass\n    return [1][A()]",
        WithError,
    ),
    (
        "endless in the result",
        "class A(int):\n        def __int__(self):\n            while True: pass\n    return {'input_ids': [[A()]], 'labels': [[A()]]}",
        Either,
    ),
    (
        "endless finalizer",
        "class A:\n        def __del__(self):\n            while True: pass\n    a = A()\n    del a\n    return OK",
        Either,
    ),
    (
        "backtracking pattern",
        "import re\n    re.match('(a+)+$', 'a' * 5000 + 'b')\n    return re.match('(a|aa)+$(?<=c)', 'a' * 400)",
        Either,
    ),
    ("count without end", "import itertools\n    return list(itertools.count())", WithError),
    (
        "product of everything",
        "import itertools\n    for _ in itertools.product(range(1000), repeat=9): pass",
        WithError,
    ),
    // Memory.
    ("long list", "return [0] * 10 ** 10", WithError),
    ("long text", "return 'a' * 10 ** 10", WithError),
    ("growing list", "x = []\n    while True: x.append('a' * 1000)", WithError),
    ("growing dict", "x = {}\n    i = 0\n    while True:\n        x[i] = [i]\n        i += 1", WithError),
    ("doubling text", "x = 'a'\n    while True: x += x", WithError),
    ("great power", "return 10 ** 10 ** 8", WithError),
    ("greater shift", "return 1 << (1 << 40)", WithError),
    ("wide format", "return '{:>10000000000}'.format(1)", WithError),
    ("wide percent", "return '%10000000000d' % 1", WithError),
    ("wide justify", "return 'x'.ljust(10 ** 10)", WithError),
    ("bytes", "return bytes(10 ** 11)", WithError),
    ("replace bomb", "x = 'a' * 10 ** 5\n    return x.replace('a', x)", WithError),
    ("great tensor", "import torch\n    return torch.zeros(10 ** 10)", WithError),
    ("repeated tensor", "import torch\n    return torch.ones(1000).repeat(10 ** 8)", WithError),
    ("expanded tensor", "import torch\n    return torch.ones(1).expand(10 ** 10).sum()", WithError),
    ("many labels", "x = [1] * (3 * 10 ** 7)\n    return {'input_ids': [x], 'labels': [x]}", WithError),
    // Recursion.
    ("recursion", "def g(): return g()\n    return g()", WithError),
    ("two that call each other", "def a(): return b()\n    def b(): return a()\n    return a()", WithError),
    (
        "attribute recursion",
        "class A:\n        def __getattr__(self, n): return getattr(self, n + 'x')\n    return A().x",
        WithError,
    ),
    ("deep list", "x = []\n    for _ in range(10 ** 6): x = [x]\n    return repr(x)", WithError),
    (
        "deep copy",
        "import copy\n    x = []\n    for _ in range(10 ** 5): x = [x]\n    return copy.deepcopy(x)",
        WithError,
    ),
    (
        "deep result",
        "x = []\n    for _ in range(10 ** 5): x = [x]\n    return {'input_ids': [x], 'labels': [x]}",
        WithError,
    ),
    (
        "deep equality",
        "x = []\n    y = []\n    for _ in range(10 ** 6):\n        x = [x]\n        y = [y]\n    return x == y",
        WithError,
    ),
    (
        "deep isinstance",
        "x = int\n    for _ in range(10 ** 5): x = (x,)\n    return isinstance(1, x)",
        WithError,
    ),
    // Files, processes, network.
    ("read a file", "return leak(open('CANARY').read())", WithError),
    ("write a file", "open('CANARY', 'w').write('x')\n    return BAD", WithError),
    ("os.system", "import os\n    os.system('touch CANARY.touched')\n    return BAD", WithError),
    ("imported by name", "__import__('os').system('touch CANARY.touched')\n    return BAD", WithError),
    (
        "subprocess",
        "import subprocess\n    subprocess.run(['touch', 'CANARY.touched'])\n    return BAD",
        WithError,
    ),
    ("socket", "import socket\n    socket.socket()\n    return BAD", WithError),
    (
        "ctypes",
        "import ctypes\n    ctypes.CDLL(None).system(b'touch CANARY.touched')\n    return BAD",
        WithError,
    ),
    ("posix", "import posix\n    posix.unlink('CANARY')\n    return BAD", WithError),
    ("_io", "import _io\n    return leak(_io.open('CANARY').read())", WithError),
    ("fork", "import os\n    os.fork()\n    return BAD", WithError),
    ("kill the parent", "import os, signal\n    os.kill(os.getppid(), 9)\n    return BAD", WithError),
    (
        "threads",
        "import threading\n    threading.Thread(target=lambda: 1).start()\n    return BAD",
        WithError,
    ),
    ("_thread", "import _thread\n    _thread.start_new_thread(lambda: 1, ())\n    return BAD", WithError),
    ("pathlib", "import pathlib\n    return leak(pathlib.Path('CANARY').read_text())", WithError),
    ("shutil", "import shutil\n    shutil.rmtree('/')\n    return BAD", WithError),
    (
        "urllib",
        "import urllib.request\n    urllib.request.urlopen('http://localhost')\n    return BAD",
        WithError,
    ),
    (
        "pickle",
        "import pickle\n    pickle.loads(b'cos\\nsystem\\n(S\"true\"\\ntR.')\n    return BAD",
        WithError,
    ),
    ("torch.load", "import torch\n    torch.load('CANARY')\n    return BAD", WithError),
    ("a folder outside", "import os\n    os.listdir('/etc')\n    return BAD", WithError),
    ("a folder above", "import os\n    os.listdir('../..')\n    return BAD", WithError),
    (
        "every module",
        "n = 0\n    for name in ('os', 'sys', 'io', 'nt', 'posix', 'signal', 'mmap', 'resource', 'fcntl', 'pty', 'select', 'asyncio', 'multiprocessing', 'tempfile', 'glob', 'zipfile', 'sqlite3', 'code', 'runpy', 'importlib', 'pkgutil'):\n        m = __import__(name)\n        for a in ('open', 'system', 'popen', 'remove', 'mmap', 'fork', 'spawn', 'connect'):\n            try:\n                getattr(m, a)('CANARY')\n                n += 1\n            except Exception:\n                pass\n    return BAD if n else OK",
        Either,
    ),
    // Ways around.
    (
        "subclasses",
        "for c in ().__class__.__base__.__subclasses__():\n        for a in ('open', 'system', 'load_module', 'exec_module', 'FileIO'):\n            f = getattr(c, a, None)\n            if f is not None:\n                try:\n                    return leak(f('CANARY').read())\n                except Exception:\n                    pass\n    return OK",
        Either,
    ),
    (
        "importer found by type",
        "for c in ().__class__.__base__.__subclasses__():\n        if 'Importer' in c.__name__:\n            for n in ('posix', 'os', '_io', '_ctypes', 'nt', '_signal'):\n                try:\n                    m = c.load_module(n)\n                    return leak(m.open('CANARY').read())\n                except Exception:\n                    pass\n    return OK",
        Either,
    ),
    (
        "frames",
        "import sys\n    f = sys._getframe()\n    while f:\n        b = f.f_globals.get('_real_import') or f.f_builtins.get('open')\n        f = f.f_back\n    return leak(b('_io').open('CANARY').read())",
        Either,
    ),
    (
        "globals of a stand-in",
        "g = type(tokenizer).__call__.__globals__\n    h = g['_host']\n    a = h.ask({'ask': 'module', 'name': '....etc.passwd', 'importer': None})\n    return BAD if a.get('code') else OK",
        Either,
    ),
    (
        "another path",
        "g = type(tokenizer).__call__.__globals__\n    a = g['_host'].ask({'ask': 'listdir', 'path': '/../../../etc'})\n    return BAD if a.get('names') else OK",
        Either,
    ),
    (
        "another source",
        "g = type(tokenizer).__call__.__globals__\n    return BAD if g['_host'].source('../../../../etc/passwd') else OK",
        Either,
    ),
    (
        "unknown questions",
        "g = type(tokenizer).__call__.__globals__\n    for q in ({}, {'ask': None}, {'ask': 'run', 'command': 'ls'}, {'ask': 'get', 'handle': -1, 'name': 'x'}, {'ask': 'encode', 'handle': 10 ** 9}, [], 1, None):\n        try:\n            g['_host'].ask(q)\n        except Exception:\n            pass\n    return OK",
        Either,
    ),
    (
        "real builtins",
        "g = type(tokenizer).__call__.__globals__\n    b = g['__builtins__']\n    b = b if isinstance(b, dict) else b.__dict__\n    return leak(b['open']('CANARY').read())",
        WithError,
    ),
    (
        "made code",
        "c = (lambda: 0).__code__\n    d = type(c)(0, 0, 0, 1, 1, 0, bytes(range(256)) * 4, (), (), (), 'x', 'x', 'x', 1, b'', b'')\n    return type(lambda: 0)(d, {})()",
        WithError,
    ),
    (
        "replaced code",
        "c = (lambda: 0).__code__\n    return type(lambda: 0)(c.replace(co_code=bytes(range(255)) * 8, co_stacksize=0), {})()",
        WithError,
    ),
    ("marshal", "import marshal\n    return marshal.loads(bytes(range(256)))", WithError),
    ("garbage collector", "import gc\n    return [o for o in gc.get_objects()][0]", WithError),
    ("exec", "exec('x = 1')\n    return BAD", WithError),
    ("eval", "eval('1')\n    return BAD", WithError),
    ("compile", "compile('1', 'x', 'eval')\n    return BAD", WithError),
    (
        "a swallowed refusal",
        "try:\n        import socket\n        socket.socket()\n    except Exception:\n        pass\n    return OK",
        WithError,
    ),
    (
        "a comparison with what is not there",
        "import socket\n    try:\n        if socket.AF_INET == 2: pass\n    except Exception:\n        pass\n    return OK",
        WithError,
    ),
    // The protocol and the parent.
    ("exit", "import sys\n    sys.exit(0)", WithError),
    ("system exit", "raise SystemExit(0)", WithError),
    ("interrupt", "raise KeyboardInterrupt", WithError),
    (
        "forged answer",
        "import sys\n    sys.stdout.write('{\"done\": {\"input_ids\": [666], \"labels\": [666]}}\\n')\n    return OK",
        Either,
    ),
    ("much printing", "while True: print('x' * 1000)", WithError),
    ("many questions", "i = 0\n    while True:\n        i += 1\n        tokenizer('text %d' % i)", WithError),
    ("long question", "tokenizer('x' * (80 << 20))\n    return BAD", WithError),
    ("many tokens", "tokenizer.add_tokens(['t%d' % i for i in range(10 ** 6)])\n    return BAD", WithError),
    (
        "many changes",
        "i = 0\n    while True:\n        i += 1\n        tokenizer.add_tokens(['t%d' % i])",
        WithError,
    ),
    (
        "odd attributes",
        "for v in ('x', -1, None, [], {}, 10 ** 40, 0.5):\n        for n in ('model_max_length', 'padding_side', 'pad_token', 'pad_token_id', 'legacy', 'chat_template'):\n            try:\n                setattr(tokenizer, n, v)\n            except Exception:\n                pass\n    return OK",
        Either,
    ),
    ("half characters", "tokenizer('\\ud800 x \\udfff')\n    return OK", Either),
    (
        "labels that are none",
        "return {'input_ids': [[None, 'x', 1.5, 10 ** 40]], 'labels': [[object()]]}",
        WithError,
    ),
    ("no dictionary", "return 7", WithError),
    (
        "patched tensors",
        "import torch\n    torch.Tensor._list = lambda self: [666]\n    torch.Tensor.tolist = None\n    return {'input_ids': torch.tensor([[1]]), 'labels': 'no'}",
        WithError,
    ),
    (
        "template bomb",
        "tokenizer.chat_template = '{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}'\n    return tokenizer.apply_chat_template([{'role': 'user', 'content': 'x'}])",
        WithError,
    ),
    ("huge exception", "raise ValueError('x' * 10 ** 8)", WithError),
    (
        "exception without a text",
        "class E(Exception):\n        def __str__(self): raise RuntimeError\n    raise E",
        WithError,
    ),
];

const HEAD: &str = "OK = {'input_ids': [[1]], 'labels': [[1]]}\nBAD = {'input_ids': [[666]], 'labels': [[666]]}\n\n\ndef leak(text):\n    return BAD\n\n\n";

fn tokenizer() -> Arc<Tokenizer> {
    let files = SampleTokenizer::named("phi-2").expect("a sample").files();
    Arc::new(load("sample:phi-2", &files, LoadOptions::default()).expect("loads"))
}

fn write(dir: &Path, text: &str) {
    std::fs::write(dir.join("evil.py"), text).expect("is written");
}

fn function(dir: &Path, name: &str, tokenizer: &Arc<Tokenizer>) -> maskscope::Result<RepositoryFunction> {
    let checkout = Checkout::open(dir)?;
    let reading = read(&checkout)?;
    let choice = FunctionChoice { version: None, function: Some(format!("evil.py:{name}")) };
    let entry = find(&checkout, &reading, &choice)?;
    let limits = SandboxLimits { time: Duration::from_secs(4), ..SandboxLimits::default() };
    RepositoryFunction::with_limits(
        checkout,
        entry,
        tokenizer.clone(),
        LoadOptions::default(),
        None,
        CallOptions::default(),
        limits,
    )
}

#[test]
fn hostile_functions_end_and_do_no_harm() {
    assert!(FUNCTIONS.len() >= 50);
    maskscope::sandbox::set_executable(env!("CARGO_BIN_EXE_maskscope"));
    let outside = tempfile::tempdir().expect("a folder");
    let canary = outside.path().join("canary");
    std::fs::write(&canary, "the canary lives").expect("is written");
    let repository = tempfile::tempdir().expect("a folder");
    let mut text = HEAD.to_string();
    for (number, (_, body, _)) in FUNCTIONS.iter().enumerate() {
        let body = body.replace("CANARY", &canary.display().to_string());
        text.push_str(&format!("def preprocess_{number}(sources, tokenizer):\n    {body}\n\n\n"));
    }
    write(repository.path(), &text);
    let tokenizer = tokenizer();
    let sample = Sample::text("a", vec![Turn::new("human", "q"), Turn::new("gpt", "a")]);
    let mut wrong = Vec::new();
    for (number, (name, _, ends)) in FUNCTIONS.iter().enumerate() {
        let function = function(repository.path(), &format!("preprocess_{number}"), &tokenizer).expect(name);
        let began = Instant::now();
        let run = function.run(&sample);
        let took = began.elapsed();
        let labels =
            run.as_ref().ok().and_then(|run| run.result.as_ref().ok().map(|(_, labels)| labels.clone()));
        let message = match &run {
            Ok(run) => run.result.as_ref().err().map(ToString::to_string).unwrap_or_default(),
            Err(error) => error.to_string(),
        };
        println!("{name}: {took:?}: {}", message.chars().take(120).collect::<String>());
        if took > Duration::from_secs(8) {
            wrong.push(format!("{name}: took {took:?}"));
        }
        if labels.as_ref().is_some_and(|labels| labels.contains(&666)) {
            wrong.push(format!("{name}: it got what it should not have"));
        }
        if *ends == WithError && message.is_empty() {
            wrong.push(format!("{name}: it ended without a message: {labels:?}"));
        }
    }
    let left: Vec<String> = std::fs::read_dir(outside.path())
        .expect("is read")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(left, ["canary"]);
    assert_eq!(std::fs::read_to_string(&canary).expect("is read"), "the canary lives");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Code that does its harm while it is read or loaded.
#[test]
fn hostile_modules_end_too() {
    maskscope::sandbox::set_executable(env!("CARGO_BIN_EXE_maskscope"));
    let tokenizer = tokenizer();
    let function_text =
        "def preprocess(sources, tokenizer):\n    return {'input_ids': [[X]], 'labels': [[X]]}\n";
    let modules = [
        ("endless", format!("X = 1\nwhile True: pass\n{function_text}")),
        ("memory", format!("X = [0] * 10 ** 11\n{function_text}")),
        ("parentheses", format!("X = {}1{}\n{function_text}", "(".repeat(100_000), ")".repeat(100_000))),
        ("minus signs", format!("X = {}1\n{function_text}", "-".repeat(200_000))),
        ("nots", format!("X = {}1\n{function_text}", "not ".repeat(200_000))),
        ("sums", format!("X = {}1\n{function_text}", "1 + ".repeat(200_000))),
        ("imports itself", format!("import evil\nfrom evil import *\nX = evil.X\n{function_text}")),
        ("no Python", format!("X = = 1\n{function_text}")),
        ("a file of nothing", "\0\0\0 preprocess".to_string()),
    ];
    for (name, text) in modules {
        let repository = tempfile::tempdir().expect("a folder");
        write(repository.path(), &text);
        let began = Instant::now();
        let message = match function(repository.path(), "preprocess", &tokenizer) {
            Err(error) => error.to_string(),
            Ok(function) => {
                let sample = Sample::text("a", vec![Turn::new("human", "q"), Turn::new("gpt", "a")]);
                match function.run(&sample) {
                    Err(error) => error.to_string(),
                    Ok(run) => run.result.err().map(|raised| raised.to_string()).unwrap_or_default(),
                }
            }
        };
        println!("{name}: {:?}: {}", began.elapsed(), message.chars().take(160).collect::<String>());
        assert!(began.elapsed() < Duration::from_secs(20), "{name}");
        assert!(!message.is_empty() || matches!(name, "minus signs" | "nots" | "sums"), "{name}");
    }
}
