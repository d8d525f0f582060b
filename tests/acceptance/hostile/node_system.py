"""Hostile scripts in JavaScript that reach for other processes, the network and files of others.

What they do is bounded, and signals are 0: a hole must do no harm.
"""

from tests.acceptance.hostile.cases import BOTH, FILES, LIMITS, SECCOMP, node_case

PROCESSES = [
    node_case(
        "program",
        """
        const { error } = require("child_process").spawnSync("/bin/true");
        if (error) throw error;
        """,
        "refused EAGAIN",
        BOTH,
    ),
    node_case(
        "fork bomb",
        """
        const { fork, spawnSync } = require("child_process");
        for (let count = 0; count < 20; count += 1) {
          const { error } = spawnSync(process.execPath, ["--version"]);
          if (error) throw error;
        }
        """,
        "refused EAGAIN",
        SECCOMP,
    ),
    node_case(
        "daemon",
        """
        const child = require("child_process").spawn("/bin/sleep", ["5"], { detached: true, stdio: "ignore" });
        await new Promise((resolve, reject) => child.on("spawn", resolve).on("error", reject));
        child.unref();
        """,
        "refused EAGAIN",
        BOTH,
    ),
    node_case(
        "program by process.binding",
        """
        const { Process } = process.binding("process_wrap");
        const status = new Process().spawn("/bin/true", ["true"], undefined, [], [], 0);
        if (status !== 0) throw Object.assign(new Error("no process"), { code: String(status) });
        """,
        "refused -11",
        BOTH,
    ),
    node_case("signal to the parent", "process.kill(process.ppid, 0);", "refused EPERM", BOTH),
    node_case("signal to the front", "process.kill(params.front, 0);", "refused EPERM", BOTH),
    node_case("signal to a sibling", "process.kill(params.sibling, 0);", "refused EPERM", BOTH),
    node_case("signal to everybody", "process.kill(-1, 0);", "refused EPERM", SECCOMP),
    node_case(
        "priority of a sibling",
        "require('os').setPriority(params.sibling, 1);",
        "refused ERR_SYSTEM_ERROR",
        SECCOMP,
    ),
    node_case(
        "threads",
        """
        const { Worker } = require("worker_threads");
        const threads = [];
        try {
          for (let count = 0; count < 30; count += 1) {
            const thread = new Worker("setTimeout(() => {}, 20000)", {
              eval: true, resourceLimits: { maxOldGenerationSizeMb: 4, maxYoungGenerationSizeMb: 1 },
            });
            threads.push(thread);
            await new Promise((resolve, reject) => thread.on("online", resolve).on("error", reject));
          }
        } finally {
          await Promise.all(threads.map((thread) => thread.terminate()));
        }
        """,
        r"refused \w+|RUNTIME_ERROR (process|memory)_limit",
        LIMITS,
        watched=True,
    ),
]

_CONNECT = """
const socket = require("net").connect(TARGET);
await new Promise((resolve, reject) => socket.on("connect", resolve).on("error", reject));
socket.destroy();
"""

SOCKETS = [
    node_case(
        "TCP connection", _CONNECT.replace("TARGET", "params.port, '127.0.0.1'"), "refused EACCES", BOTH
    ),
    node_case("UNIX connection", _CONNECT.replace("TARGET", "params.unix"), "refused EACCES", SECCOMP),
    node_case(
        "TCP server",
        """
        const server = require("net").createServer();
        await new Promise((resolve, reject) => server.listen(0, "127.0.0.1", resolve).on("error", reject));
        server.close();
        """,
        "refused EACCES",
        BOTH,
    ),
    node_case(
        "UDP datagram",
        """
        const socket = require("dgram").createSocket("udp4");
        await new Promise((resolve, reject) => {
          socket.on("error", reject);
          socket.send("x", 9, "127.0.0.1", (error) => (error ? reject(error) : resolve()));
        });
        socket.close();
        """,
        "refused EACCES",
        SECCOMP,
    ),
    node_case(
        "TCP connection by process.binding",
        """
        const { TCP, TCPConnectWrap, constants } = process.binding("tcp_wrap");
        const status = new TCP(constants.SOCKET).connect(new TCPConnectWrap(), "127.0.0.1", params.port);
        if (status !== 0) throw Object.assign(new Error("no connection"), { code: String(status) });
        """,
        "refused -13",
        BOTH,
    ),
    node_case(
        "request over HTTP",
        "await fetch(`http://127.0.0.1:${params.port}`, { signal: AbortSignal.timeout(300) })"
        ".catch((error) => { if (error.name !== 'TimeoutError') throw error.cause; });",
        "refused EACCES",
        BOTH,
    ),
    node_case(
        "inspector",
        """
        const inspector = require("inspector");
        inspector.open(0, "127.0.0.1");
        if (inspector.url() === undefined) throw Object.assign(new Error("no inspector"), { code: "CLOSED" });
        inspector.close();
        """,
        "refused CLOSED",
        BOTH,
    ),
]

FILE_SYSTEM = [
    node_case("read /etc/passwd", "require('fs').readFileSync('/etc/passwd');", "refused EACCES", FILES),
    node_case("list /proc", "require('fs').readdirSync('/proc');", "refused EACCES", FILES),
    node_case(
        "environment of the parent",
        "require('fs').readFileSync(`/proc/${process.ppid}/environ`);",
        "refused EACCES",
        FILES,
    ),
    node_case(
        "memory of the parent",
        "require('fs').openSync(`/proc/${process.ppid}/mem`, 'r+');",
        "refused EACCES",
        FILES,
    ),
    node_case(
        "read of another session",
        "require('fs').readFileSync(`${params.private}/private.txt`);",
        "refused EACCES",
        FILES,
    ),
    node_case(
        "write outside", "require('fs').writeFileSync(`${params.outside}/mine`, '');", "refused EACCES", FILES
    ),
    node_case(
        "write through a symbolic link",
        """
        require("fs").symlinkSync(params.outside, "way-out");
        require("fs").writeFileSync("way-out/through", "");
        """,
        "refused EACCES",
        FILES,
    ),
    node_case(
        "hard link of a file outside",
        "require('fs').linkSync(`${params.outside}/kept.txt`, 'mine');",
        "refused (EACCES|EXDEV)",
        FILES,
    ),
    node_case(
        "mode of a file outside",
        "require('fs').chmodSync(`${params.outside}/kept.txt`, 0o600);",
        "refused EPERM",
        SECCOMP,
    ),
    node_case(
        "mode of a package",
        "require('fs').fchmodSync(require('fs').openSync(`${params.package}/shared.py`), 0o600);",
        "refused EPERM",
        SECCOMP,
    ),
    node_case(
        "mode through a symbolic link",
        """
        require("fs").symlinkSync(`${params.outside}/kept.txt`, "link");
        require("fs").chmodSync("link", 0o600);
        """,
        "refused EPERM",
        SECCOMP,
    ),
    node_case(
        "times of a file outside",
        "require('fs').utimesSync(`${params.outside}/kept.txt`, 1, 1);",
        "refused EPERM",
        SECCOMP,
    ),
    node_case(
        "times by a descriptor",
        "require('fs').futimesSync(require('fs').openSync(`${params.package}/shared.py`), 1, 1);",
        "refused EPERM",
        SECCOMP,
    ),
    node_case(
        "owner of a file outside",
        "require('fs').chownSync(`${params.outside}/kept.txt`, process.getuid(), process.getgid());",
        "refused EPERM",
        SECCOMP,
    ),
    node_case(
        "module outside",
        "require(`${params.outside}/kept.json`);",
        "refused (EACCES|MODULE_NOT_FOUND)",
        FILES,
    ),
    node_case(
        "import outside",
        "await import(`${params.outside}/kept.json`);",
        "refused ERR_MODULE_NOT_FOUND",
        because="scripts import built-in modules only",
    ),
    node_case(
        "native code outside",
        """
        try {
          process.dlopen({ exports: {} }, `${params.outside}/kept.txt`);
        } catch (error) {
          if (/Permission denied/.test(error.message)) throw Object.assign(error, { code: "EACCES" });
        }
        """,
        "refused EACCES",
        FILES,
    ),
    node_case(
        "our module by its path",
        "require('fs').readFileSync(`${params.repository}/runtime/settings.py`);",
        "refused EACCES",
        FILES,
    ),
    node_case(
        "import of our module",
        "await import(`${params.repository}/runtime/workers/node_resolve.mjs`);",
        "refused ERR_MODULE_NOT_FOUND",
        because="scripts import built-in modules only",
    ),
]

CASES = [*PROCESSES, *SOCKETS, *FILE_SYSTEM]
