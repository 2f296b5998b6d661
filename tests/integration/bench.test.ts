/** `kstream bench` and `kstream top` against a running broker. */
import { expect, test } from "bun:test";
import { KSTREAM, withBroker } from "../harness/broker-process.ts";
import { fails, ok, shell } from "./cli.ts";

test("bench writes, reads and measures what it was told, and top shows it", async () => {
  await withBroker(async ({ bootstrap }) => {
    const at = { brokers: bootstrap };
    await ok(["topic", "create", "load", "-p", "2"], at);
    const json = async (...args: string[]) => JSON.parse(await ok([...args, "--json"], at));
    const produced = await json("bench", "produce", "load", "-n", "20000", "-s", "50");
    expect(produced).toMatchObject({ records: 20_000, bytes: 1_000_000, failed: 0 });
    expect(produced.latency.count).toBe(20_000);
    expect(produced.latency.p50Ms).toBeLessThanOrEqual(produced.latency.p99Ms);
    expect(await json("bench", "consume", "load")).toMatchObject({ records: 20_000 });
    const paced = await json("bench", "produce", "load", "-n", "500", "-r", "1000");
    expect(paced.elapsedMs).toBeGreaterThan(450);
    const latency = await json("bench", "latency", "load", "-n", "300", "-r", "1000");
    expect(latency).toMatchObject({ records: 300, failed: 0 });
    expect(latency.latency.maxMs).toBeGreaterThan(0);
    expect(await ok(["bench", "consume", "load"], at)).toMatch(/20,800 records in/);
    await fails(["bench", "produce", "laod"], 1, ['did you mean "load"'], at);

    await ok(["consume", "load", "-g", "readers", "-n", "100"], at);
    const frame = await ok(["top", "--once", "-i", "1"], at);
    expect(frame).toMatch(/1 broker/);
    expect(frame).toMatch(/^load +/m);
    expect(frame).toMatch(/^readers +/m);
    const [view] = await json("top", "--once", "-i", "1");
    expect(view.topics[0]).toMatchObject({ topic: "load", endOffset: 20_800 });

    // A terminal of 60 columns: no line is longer, and q ends it.
    const python = `
import os, pty, struct, fcntl, termios, time, sys, select
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 60, 0, 0))
seen = b""
asked = False
end = time.time() + 10
while time.time() < end:
    if select.select([fd], [], [], 0.2)[0]:
        try: data = os.read(fd, 65536)
        except OSError: break
        if not data: break
        seen += data
    if seen.count(b"readers") >= 2 and not asked:
        os.write(fd, b"q")
        asked = True
os.write(1, seen)
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status))
`;
    const shown = await shell('python3 -c "$PROGRAM" "$BINARY" top -i 1', {
      ...at,
      env: { PROGRAM: python, BINARY: KSTREAM },
    });
    expect(shown.exitCode).toBe(0);
    // deno-lint-ignore no-control-regex
    const frames = shown.stdout.split(/\x1b\[H/).slice(2);
    expect(frames.length).toBeGreaterThan(0);
    // deno-lint-ignore no-control-regex
    const lines = frames.at(-1)!.replace(/\x1b\[[\d;?]*[A-Za-z]/g, "").split(/\r?\n/);
    expect(lines.filter((each) => each.replace(/q+$/, "").length > 60)).toEqual([]);
    expect(lines.length).toBeLessThanOrEqual(20);
  }, { args: ["--memory"] });
}, 60_000);
