"""Hostile scripts in JavaScript that take too much, never end, or break our program in their own process.

What they take is bounded: a hole must do no harm.
"""

from tests.acceptance.hostile.cases import (
    DEADLINE,
    FILES,
    LIMITS,
    OWN_PROCESS,
    RESULTS,
    Case,
    node,
    node_case,
)

_FILL = """
const { writeFileSync, appendFileSync } = require("fs");
const block = Buffer.alloc(1 << 20);
"""

RESOURCES = [
    node_case(
        "memory bomb outside of the heap",
        "globalThis.blocks = []; for (let i = 0; i < 24; i += 1) blocks.push(Buffer.alloc(16 << 20, 1));",
        r"refused \w+|RUNTIME_ERROR (memory_limit|crashed)",
        watched=True,
    ),
    node_case(
        "growth between two looks",
        """
        await new Promise((resolve) => setTimeout(resolve, 300));
        globalThis.block = Buffer.alloc(384 << 20, 1);
        """,
        "RUNTIME_ERROR memory_limit",
        watched=True,
    ),
    node_case(
        "reserved memory",
        "globalThis.block = new ArrayBuffer(4 * 2 ** 30);",
        "RUNTIME_ERROR exception",
        LIMITS,
    ),
    node_case(
        "one large file",
        _FILL + "for (let i = 0; i < 96; i += 1) appendFileSync('large', block);",
        r"refused (EFBIG|ENOSPC)|RUNTIME_ERROR (\w+_limit|crashed|exception)",
        LIMITS,
        watched=True,
    ),
    node_case(
        "disk filler",
        _FILL + "for (let i = 0; i < 96; i += 1) appendFileSync(`file${i >> 4}`, block);",
        r"refused (EFBIG|ENOSPC)|RUNTIME_ERROR (\w+_limit|crashed|exception)",
        watched=True,
    ),
    node_case(
        "disk filler without names",
        """
        const { openSync, unlinkSync, writeSync } = require("fs");
        for (let count = 0; count < 6; count += 1) {
          const file = openSync("hidden", "w");
          unlinkSync("hidden");
          for (let part = 0; part < 16; part += 1) writeSync(file, Buffer.alloc(1 << 20));
        }
        """,
        r"refused (EFBIG|ENOSPC)|RUNTIME_ERROR (\w+_limit|crashed|exception)",
        watched=True,
    ),
    node_case(
        "descriptors",
        "for (let i = 0; i < 400; i += 1) require('fs').openSync('/dev/null');",
        "refused EMFILE",
        LIMITS,
    ),
    node_case(
        "memory bomb in the heap",
        "globalThis.blocks = []; for (let i = 0; i < 24; i += 1) blocks.push(new Array(2 << 20).fill(i + 0.5));",
        "RUNTIME_ERROR (memory_limit|crashed)",
        watched=True,
    ),
    node_case(
        "heap limit raised",
        """
        require("v8").setFlagsFromString("--max-old-space-size=4096");
        globalThis.blocks = [];
        for (let i = 0; i < 24; i += 1) blocks.push(new Array(2 << 20).fill(i + 0.5));
        """,
        "RUNTIME_ERROR (memory_limit|crashed)",
        watched=True,
    ),
    node_case(
        "memory bomb in WebAssembly",
        """
        globalThis.memory = new WebAssembly.Memory({ initial: 6144 });
        new Uint8Array(memory.buffer).fill(1);
        """,
        "RUNTIME_ERROR (memory_limit|crashed)",
        watched=True,
    ),
    node_case(
        "memory bomb in a thread",
        """
        const { Worker } = require("worker_threads");
        const source = `
          const blocks = [];
          for (let i = 0; i < 24; i += 1) blocks.push(new Array(2 << 20).fill(i + 0.5));
          setTimeout(() => blocks, 300);
        `;
        const thread = new Worker(source, { eval: true, resourceLimits: { maxOldGenerationSizeMb: 2048 } });
        await new Promise((resolve, reject) => thread.on("exit", resolve).on("error", reject));
        """,
        r"refused \w+|RUNTIME_ERROR (memory_limit|crashed)",
        watched=True,
    ),
]

_ENDLESS = {
    "endless loop": "for (;;);",
    "regular expression": "/^(a+)+$/.test('a'.repeat(64) + 'b');",
    "large number": "let n = 3n; for (;;) n *= n > 10n ** 100000n ? 1n : n;",
    "promise that never settles": "await new Promise(() => {});",
    "microtasks without end": "for (;;) await null;",
    "wait without end": "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);",
    "stop of itself": "process.kill(process.pid, 'SIGSTOP'); for (;;);",
}

ENDLESS = [
    Case(name, "nodejs", node(body), "TIMEOUT", because=DEADLINE, timeout_ms=400)
    for name, body in _ENDLESS.items()
]

#: What breaks our own program in the same process: the run may fail, but no other user's.
_FAILS = r"done|result polluted|RUNTIME_ERROR (crashed|exception|result_not_json)|TIMEOUT"

_POLLUTIONS = {
    "Object.prototype.then": "Object.prototype.then = function (resolve) { resolve('polluted'); };",
    "Object.prototype.toJSON": "Object.prototype.toJSON = () => 'polluted';",
    "Object.prototype.load": "Object.prototype.load = { source: 'return 666' };",
    "Object.prototype.code": "Object.defineProperty(Object.prototype, 'id', { get: () => 99, set() {} });",
    "Array.prototype": "Array.prototype.push = Array.prototype.concat = () => 0;"
    " Array.prototype[Symbol.iterator] = function* () { yield 'polluted'; };",
    "Promise.prototype": "Promise.prototype.then = function () { return this; };",
    "Buffer": "Buffer.concat = Buffer.from = Buffer.byteLength = () => 0;"
    " Buffer.prototype.writeUInt32BE = Buffer.prototype.readUInt32BE = () => 0;",
    "JSON": "JSON.parse = () => ({ id: 2, run: {} }); JSON.stringify = () => '{';",
    "String.prototype": "String.prototype.slice = String.prototype.split = () => 'polluted';",
    "sockets": "require('net').Socket.prototype.write = () => true;",
    "events": "require('events').prototype.emit = () => false;",
    "process": "process.exit = () => {}; process.on = () => {}; process.removeAllListeners();",
}

POLLUTIONS = [
    Case(f"pollution of {name}", "nodejs", node(body), _FAILS, because=OWN_PROCESS, timeout_ms=500)
    for name, body in _POLLUTIONS.items()
]

BREAKAGES = [
    node_case(
        "recursion",
        "const deeper = () => deeper() + 1; deeper();",
        "RUNTIME_ERROR exception",
        because=OWN_PROCESS,
    ),
    node_case("exit", "process.exit(0);", "RUNTIME_ERROR crashed", because=OWN_PROCESS),
    node_case("abort", "process.abort();", "RUNTIME_ERROR crashed", because=OWN_PROCESS),
    node_case("real exit", "process.reallyExit(0);", "RUNTIME_ERROR crashed", because=OWN_PROCESS),
    node_case("channel closed", "require('fs').closeSync(3);", "RUNTIME_ERROR crashed", because=OWN_PROCESS),
    node_case(
        "nonsense on the channel",
        "require('fs').writeSync(3, 'nonsense'.repeat(100));",
        "RUNTIME_ERROR crashed",
        because=OWN_PROCESS,
    ),
    node_case(
        "frame for another run",
        """
        const body = Buffer.from('{"id":7,"result":{"faked":true}}');
        const length = Buffer.alloc(4);
        length.writeUInt32BE(body.length);
        require("fs").writeSync(3, Buffer.concat([length, body]));
        """,
        "RUNTIME_ERROR crashed",
        because=OWN_PROCESS,
    ),
    node_case(
        "error thrown later",
        "setImmediate(() => { throw new Error('later'); }); await new Promise(() => {});",
        "RUNTIME_ERROR exception",
        because=OWN_PROCESS,
    ),
    node_case(
        "thread",
        """
        const { Worker } = require("worker_threads");
        const thread = new Worker("require('fs').readFileSync('/etc/passwd')", { eval: true });
        await new Promise((resolve, reject) => thread.on("exit", resolve).on("error", reject));
        """,
        "refused EACCES",
        FILES,
    ),
]

_NO_RESULTS = {
    "too large": ("'x'.repeat(8 << 20)", "output_limit"),
    "not a number": ("({ a: [NaN] })", "result_not_json"),
    "cycle": ("(() => { const cycle = []; cycle.push(cycle); return cycle; })()", "result_not_json"),
    "nested": ("Array.from({ length: 1e5 }).reduce((inner) => [inner], [])", "result_not_json"),
    "without end": ("({ toJSON() { return [this]; } })", "result_not_json"),
}

NO_RESULTS = [
    Case(f"result {name}", "nodejs", f"return {value};", f"RUNTIME_ERROR {kind}", because=RESULTS)
    for name, (value, kind) in _NO_RESULTS.items()
]

CASES = [*RESOURCES, *ENDLESS, *POLLUTIONS, *BREAKAGES, *NO_RESULTS]
