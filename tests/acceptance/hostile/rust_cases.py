"""Hostile scripts in Rust: while they are compiled, and as WebAssembly, which reaches only what WASI hands it."""

import json
import textwrap
from collections.abc import Mapping

from tests.acceptance.hostile.cases import DEADLINE, FILES, RESULTS, Case, rust

_WASI = "WebAssembly has no way to the system but WASI, which is handed nothing"
_MEMORY = "the bounds of an instance's memory are part of WebAssembly"
_COMPILER = "the compiler's own rules cannot be switched off"
#: What an attempt makes of the library's error: `Unsupported`, `NotFound`...
_KIND = '.map_err(|error| format!("{:?}", error.kind()))?;'


def _case(name: str, body: str, verdict: str, because: str = _WASI) -> Case:
    return Case(name, "rust", rust(body), verdict, because=because)


def _chosen(attempts: Mapping[str, tuple[str, str]], because: str, timeout_ms: int = 120_000) -> list[Case]:
    """Cases of one script, compiled once: the param `attempt` chooses the body. Each has its verdict, too."""
    arms = "".join(
        f"{json.dumps(name)} => {{\n{textwrap.dedent(body).strip()}\n}}\n"
        for name, (body, _) in attempts.items()
    )
    script = rust(f'match params["attempt"].as_str().unwrap() {{\n{arms}_ => panic!("no such attempt"),\n}}')
    return [
        Case(name, "rust", script, verdict, because=because, timeout_ms=timeout_ms)
        for name, (_, verdict) in attempts.items()
    ]


_CALLS = {
    "read /etc/passwd": 'std::fs::read("/etc/passwd")',
    "read of another session": 'std::fs::read(params["private"].as_str().unwrap())',
    "environment of the process": 'std::fs::read("/proc/self/environ")',
    "memory of the parent": 'std::fs::read(format!("/proc/{}/mem", params["parent"]))',
    "hard link": 'std::fs::hard_link("/etc/passwd", "mine")',
    "list /": 'std::fs::read_dir("/")',
    "list of the own folder": 'std::fs::read_dir(".")',
    "write outside": 'std::fs::write("/tmp/mine", "x")',
    "program": 'std::process::Command::new("/bin/true").status()',
    "TCP connection": 'std::net::TcpStream::connect("127.0.0.1:9")',
    "UDP socket": 'std::net::UdpSocket::bind("127.0.0.1:0")',
    "thread": "std::thread::Builder::new().spawn(|| ())",
}

SYSTEM = _chosen(
    {
        **{name: (f"{call}{_KIND}\nOk(())", r"refused \w+") for name, call in _CALLS.items()},
        "environment": (
            'if std::env::vars().next().is_none() { return Err("empty".into()) }\nOk(())',
            "refused empty",
        ),
        "protocol's descriptor": (
            """
            #[link(wasm_import_module = "wasi_snapshot_preview1")]
            extern "C" { fn fd_write(fd: i32, vectors: *const u32, count: i32, written: *mut u32) -> i32; }
            let text = b"fake";
            let vector = [text.as_ptr() as u32, text.len() as u32];
            let mut written = 0;
            for descriptor in 3..64 {
                if unsafe { fd_write(descriptor, vector.as_ptr(), 1, &mut written) } == 0 { return Ok(()) }
            }
            Err("EBADF".into())
            """,
            "refused EBADF",
        ),
        # An instance has descriptors of its own, which mean nothing to the process.
        "all descriptors closed": (
            """
            #[link(wasm_import_module = "wasi_snapshot_preview1")]
            extern "C" { fn fd_close(descriptor: i32) -> i32; }
            for descriptor in 0..64 { unsafe { fd_close(descriptor) }; }
            Ok(())
            """,
            "done",
        ),
        "exit": ("std::process::exit(0)", "RUNTIME_ERROR exception"),
        "abort": ("std::process::abort()", "RUNTIME_ERROR exception"),
    },
    _WASI,
)

LINKED = [
    _case(
        "function of the host",
        """
        #[link(wasm_import_module = "env")]
        extern "C" { fn secret() -> i32; }
        unsafe { secret() };
        Ok(())
        """,
        "INITIALIZATION_ERROR",
    )
]

MEMORY = _chosen(
    {
        "write out of bounds": (
            "unsafe { std::ptr::write_volatile(0xffff_fff0 as *mut u8, 1) }\nOk(())",
            "RUNTIME_ERROR exception",
        ),
        "read out of bounds": (
            "let end = core::arch::wasm32::memory_size(0) << 16;\n"
            "let byte = unsafe { std::ptr::read_volatile(end as *const u8) };\n"
            'Err(format!("{}", byte)).or(Ok(()))',
            "RUNTIME_ERROR exception",
        ),
        "everything overwritten": (
            """
            let end = core::arch::wasm32::memory_size(0) << 16;
            for place in (0..end).step_by(4) { unsafe { std::ptr::write_volatile(place as *mut u32, u32::MAX) } }
            Ok(())
            """,
            "RUNTIME_ERROR (exception|crashed|memory_limit)",
        ),
        "recursion": (
            """
            fn deeper(depth: u64) -> u64 {
                let mut room = [depth; 64];
                let seen = unsafe { std::ptr::read_volatile(&mut room[3]) };
                if seen == u64::MAX { return 0 }
                deeper(depth + 1) + unsafe { std::ptr::read_volatile(&mut room[5]) }
            }
            Err(format!("{}", deeper(0)))
            """,
            "RUNTIME_ERROR exception",
        ),
        "memory bomb": (
            """
            let mut blocks = Vec::new();
            for _ in 0..24 { blocks.push(vec![1u8; 16 << 20]) }
            if blocks.len() == 24 { Ok(()) } else { Err("short".into()) }
            """,
            "RUNTIME_ERROR memory_limit",
        ),
        "memory.grow without end": (
            """
            for _ in 0..64 {
                if core::arch::wasm32::memory_grow(0, 256) == usize::MAX { return Err("full".into()) }
            }
            Ok(())
            """,
            "refused full",
        ),
    },
    _MEMORY,
)

ENDLESS = _chosen(
    {
        "endless loop": ("loop { std::thread::yield_now() }", "TIMEOUT"),
        "sleep": ("std::thread::sleep(std::time::Duration::from_secs(3600));\nOk(())", "TIMEOUT"),
    },
    DEADLINE,
    timeout_ms=400,
)

_REACHED = 'if text.is_empty() { Err("empty".into()) } else { Ok(()) }'

COMPILATION = [
    Case(
        "include of /etc/passwd",
        "rust",
        rust(f'let text = include_str!("/etc/passwd");\n{_REACHED}'),
        "INITIALIZATION_ERROR",
        FILES,
    ),
    Case(
        "include of our source",
        "rust",
        rust(f'let text = include_str!("{__file__}");\n{_REACHED}'),
        "INITIALIZATION_ERROR",
        FILES,
    ),
    Case(
        "include of the compiler's environment",
        "rust",
        rust(f'let text = include_str!("/proc/self/environ");\n{_REACHED}'),
        "INITIALIZATION_ERROR",
        FILES,
    ),
    Case(
        "include by a relative path",
        "rust",
        rust(f'let text = include_str!("../../../../../../../../../../../../etc/passwd");\n{_REACHED}'),
        "INITIALIZATION_ERROR",
        FILES,
    ),
    Case(
        "module of a file outside",
        "rust",
        rust('#[path = "/proc/version"]\nmod outside;\nOk(())'),
        "INITIALIZATION_ERROR",
        because="what is included must be Rust, so that it cannot succeed either way",
    ),
    _case(
        "environment of the compiler",
        'if option_env!("RUNTIME_SECRET").or(option_env!("HOSTILE_TEST_SECRET")).is_none() '
        '{ return Err("clean".into()) }\nOk(())',
        "refused clean",
        "a clean environment cannot be switched off",
    ),
    _case(
        "macro without end",
        "macro_rules! again { () => { again!() } }\nagain!();\nOk(())",
        "INITIALIZATION_ERROR",
        _COMPILER,
    ),
    _case(
        "type without end",
        "fn deeper<T: Clone>(value: T, depth: u32) { if depth > 0 { deeper((value.clone(), value), depth - 1) } }\n"
        "deeper(0u8, params.as_u64().unwrap_or(0) as u32);\nOk(())",
        "INITIALIZATION_ERROR",
        _COMPILER,
    ),
    _case(
        "constant without end",
        "const ENDLESS: u32 = { loop {} };\nErr(ENDLESS.to_string())",
        "INITIALIZATION_ERROR",
        _COMPILER,
    ),
    _case(
        "brace that closes ours", "Ok(()) } } mod outer { fn attempt() {", "INITIALIZATION_ERROR", _COMPILER
    ),
]

NO_RESULTS = [_case("result too large", 'Err("x".repeat(8 << 20))', "RUNTIME_ERROR output_limit", RESULTS)]

CASES = [*SYSTEM, *LINKED, *MEMORY, *ENDLESS, *COMPILATION, *NO_RESULTS]
