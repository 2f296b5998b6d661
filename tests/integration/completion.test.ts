/** Completion in the shells themselves; one that is not installed is skipped. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freshDir, KSTREAM, startBrokerProcess } from "../harness/broker-process.ts";
import type { BrokerProcess } from "../harness/broker-process.ts";
import { run } from "../harness/process.ts";
import { ok } from "./cli.ts";

let broker: BrokerProcess;
/** A directory with nothing but `kstream` and the scripts. */
const bin = join(freshDir("completion"), "bin");

beforeAll(async () => {
  broker = await startBrokerProcess({ args: ["--memory"] });
  mkdirSync(bin);
  symlinkSync(KSTREAM, join(bin, "kstream"));
  for (const shell of ["bash", "zsh", "fish"]) {
    writeFileSync(join(bin, `script.${shell}`), await ok(["completion", shell]));
  }
  await ok(["topic", "create", "orders", "orders-dead", "audit", "-p", "2"], on());
  await ok(
    ["group", "seek", "billing", "--create", "--to", "start", "-t", "orders", "--execute"],
    on(),
  );
});

afterAll(async () => {
  await broker.stop();
});

const on = () => ({ brokers: broker.bootstrap });

async function shell(command: readonly string[], brokers = broker.bootstrap): Promise<string> {
  const env = {
    PATH: `${bin}:${process.env["PATH"]}`,
    HOME: bin,
    KSTREAM_BROKERS: brokers,
    XDG_CONFIG_HOME: bin,
  };
  const { stdout, stderr } = await run(command, { cwd: bin, timeoutMs: 20_000, env });
  expect(stderr).toBe("");
  return stdout;
}

/** What bash would offer for the line. */
async function bash(line: string, type = 9, brokers?: string): Promise<string[]> {
  const script = `source script.bash; source script.bash
    compopt() { :; }
    COMP_LINE=$1 COMP_POINT=\${#1} COMP_TYPE=${type} COMP_WORDBREAKS=$' =:' COMP_WORDS=(kstream)
    _kstream; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const text = await shell(["bash", "--norc", "-c", script, "bash", line], brokers);
  return text.trimEnd().split("\n");
}

const has = (shell: string) => Bun.which(shell) !== null;

test("bash completes commands, options and what the cluster has", async () => {
  expect(await bash("kstream topi")).toEqual(["topic"]);
  expect(await bash("kstream topic li")).toEqual(["list"]);
  expect(await bash("kstream topic describe ord")).toEqual(["orders", "orders-dead"]);
  expect(await bash("kstream topic describe orders a")).toEqual(["audit"]);
  expect(await bash("echo x | kstream consume a")).toEqual(["audit"]);
  expect(await bash("kstream consume orders --group bil")).toEqual(["billing"]);
  expect(await bash("kstream consume orders --group=bil")).toEqual(["billing"]);
  expect(await bash("kstream consume orders -eg bil")).toEqual(["billing"]);
  expect(await bash("kstream topic create x -c retention.m")).toEqual(["retention.ms="]);
  expect(await bash("kstream topic create orde")).toEqual([""]);
  expect(await bash("kstream topic list --js")).toEqual(["--json"]);
  expect(await bash("kstream --color never topic li")).toEqual(["list"]);
  expect(await bash("kstream --color nev")).toEqual(["never"]);
  expect(await bash("kstream --prof")).toEqual(["--profile"]);
  expect(await bash(`kstream -b ${broker.bootstrap} topic describe aud`, 9, "127.0.0.1:1"))
    .toEqual(["audit"]);
  expect(await bash("kstream topic list --json --js")).toEqual([""]);
});

test("a list tells what the words are", async () => {
  expect(await bash("kstream topic describe orders", 63)).toEqual([
    "orders       (2 partitions)",
    "orders-dead  (2 partitions)",
  ]);
  const configs = await bash("kstream config set topic orders retention.", 63);
  expect(configs[0]).toMatch(/^retention\.bytes= +\(.+\)$/);
});

test("nothing of the line is run, and an absent broker is silence", async () => {
  expect(await bash("kstream consume $(touch touched) --gr")).toEqual([
    "--group",
    "--group-protocol",
    "--group-instance-id",
  ]);
  expect(await bash("kstream consume `touch touched`; kstream topic li")).toEqual(["list"]);
  expect(await Bun.file(join(bin, "touched")).exists()).toBe(false);
  const began = performance.now();
  expect(await bash("kstream topic describe o", 9, "127.0.0.1:1")).toEqual([""]);
  const silent = Bun.listen({ port: 0, hostname: "127.0.0.1", socket: { data: () => {} } });
  expect(await bash("kstream topic describe o", 9, `127.0.0.1:${silent.port}`)).toEqual([""]);
  silent.stop(true);
  expect(performance.now() - began).toBeLessThan(5_000);
});

test.skipIf(!has("fish"))("fish shows the words and what they are", async () => {
  const fish = (line: string) =>
    shell(["fish", "--no-config", "-c", `source script.fish; complete -C '${line}'`]);
  expect(await fish("kstream topic li")).toBe("list\tlist topics\n");
  expect(await fish("kstream consume a")).toBe("audit\t2 partitions\n");
  expect(await fish("kstream consume x --isolation=read_c")).toBe("--isolation=read_committed\n");
  expect(await fish("kstream produce orders script.z")).toBe("script.zsh\n");
});

test.skipIf(!has("zsh"))("zsh completes at the Tab key", async () => {
  const zsh = (typed: string, shown: string) =>
    shell([
      "zsh",
      "-f",
      "-c",
      `
      zmodload zsh/zpty
      zpty z zsh -f -i
      zpty -w z 'autoload -Uz compinit; compinit -u -D; source script.zsh; print REA""DY'
      zpty -r -m z out '*READY*'
      zpty -w -n z $'${typed}\\t'
      zpty -r -m z out '*${shown}*' && print ok
      zpty -d z`,
    ]);
  expect(await zsh("kstream topic li", "li*st")).toContain("ok");
  expect(await zsh("kstream topic describe au", "au*dit")).toContain("ok");
  expect(await zsh("kstream topic describe orders\\t", "orders-dead*2 partitions")).toContain("ok");
});
