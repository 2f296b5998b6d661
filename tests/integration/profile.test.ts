/** Profiles, and where options have their values from. No broker runs. */
import { expect, test } from "bun:test";
import { chmodSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freshDir, KSTREAM } from "../harness/broker-process.ts";
import { fails, kstream, ok, shell } from "./cli.ts";

/** A home of its own for each test, and no broker by the environment. */
function home(): { env: Record<string, string>; cwd: string; file: string } {
  const cwd = freshDir("profile");
  const env = {
    XDG_CONFIG_HOME: cwd,
    KSTREAM_BROKERS: "",
    KSTREAM_TOML: join(cwd, "kstream.toml"),
  };
  writeFileSync(env.KSTREAM_TOML, "");
  return { env, cwd, file: join(cwd, "kstream", "config.toml") };
}

/** Without `KSTREAM_BROKERS`: a shell takes it away. */
async function explained(args: string, { env, cwd }: ReturnType<typeof home>) {
  const line = `unset KSTREAM_BROKERS; kstream settings explain --json ${args}`;
  const { stdout, stderr } = await shell(line, { env, cwd });
  expect(stderr).toBe("");
  const rows: { option: string; value: unknown; source: string; where: string | null }[] = JSON
    .parse(stdout);
  return (option: string) => {
    const { value, source, where } = rows.find((row) => row.option === option)!;
    return { value, source, where };
  };
}

test("a profile is kept for its owner alone, and is used where nothing else says otherwise", async () => {
  const at = home();
  await ok(["profile", "set", "dev", "brokers=127.0.0.1:5", "consume.format=json"], at);
  await ok(["profile", "set", "prod", "brokers=127.0.0.1:6", "description=live"], at);
  expect(statSync(at.file).mode & 0o777).toBe(0o600);
  const use = (words: string, brokers: string) =>
    shell(`unset KSTREAM_BROKERS; ${words}`, at).then(({ stderr, exitCode }) => {
      expect([words, exitCode, stderr.includes(brokers)]).toEqual([words, 3, true]);
    });
  await use("kstream topic list", "127.0.0.1:5"); // the first one made
  await use("kstream topic list --profile prod", "127.0.0.1:6");
  await use("KSTREAM_PROFILE=prod kstream topic list", "127.0.0.1:6");
  await ok(["profile", "use", "prod"], at);
  await use("kstream topic list", "127.0.0.1:6");
  writeFileSync(at.env["KSTREAM_TOML"]!, 'profile = "dev"');
  await use("kstream topic list", "127.0.0.1:5");
  writeFileSync(at.env["KSTREAM_TOML"]!, 'brokers = "127.0.0.1:7"');
  await use("kstream topic list", "127.0.0.1:7");
  await use("KSTREAM_BROKERS=127.0.0.1:8 kstream topic list", "127.0.0.1:8");
  await use("KSTREAM_BROKERS=127.0.0.1:8 kstream topic list -b 127.0.0.1:9", "127.0.0.1:9");
});

test("who names a profile is told what wins over it", async () => {
  const at = home();
  await ok(["profile", "set", "dev", "brokers=127.0.0.1:5"], at);
  at.env["KSTREAM_BROKERS"] = "127.0.0.1:8";
  const { stderr } = await kstream(["topic", "list", "--profile", "dev"], at);
  expect(stderr).toContain("--brokers is from KSTREAM_BROKERS in the environment, which wins over");
  expect((await kstream(["topic", "list"], at)).stderr).not.toContain("wins over");
});

test("explain says for each option who won", async () => {
  const at = home();
  await ok(["profile", "set", "dev", "brokers=p:1", "timeout=7", "sasl-password=geheim"], at);
  writeFileSync(at.env["KSTREAM_TOML"]!, "timeout = 8\n[topic.list]\njson = true");
  const of = await explained("topic list --internal", at);
  expect(of("internal")).toEqual({ value: true, source: "flag", where: null });
  expect(of("json")).toMatchObject({ value: true, source: "file" });
  expect(of("json").where).toBe("[topic.list] of kstream.toml");
  expect(of("timeout")).toMatchObject({ value: 8, source: "file", where: "kstream.toml" });
  expect(of("brokers")).toMatchObject({ value: "p:1", source: "profile" });
  expect(of("profile")).toMatchObject({ value: "dev", source: "profile" });
  expect(of("sasl-password")).toMatchObject({ value: null, source: "profile" });
  expect(of("tls-ca")).toEqual({ value: null, source: "default", where: null });
  const all = await shell("KSTREAM_BROKERS=e:1 kstream settings explain", at);
  expect(all.stdout).toMatch(/^all +--brokers +e:1 +environment +KSTREAM_BROKERS .* profile dev/m);
  expect(all.stdout).toMatch(/^topic list +--json +true +file +\[topic\.list\]/m);
  expect(all.stdout + (await ok(["profile", "show"], at))).not.toContain("geheim");
  await fails(["settings", "explain", "topic", "lst"], 2, ["did you mean list"], at);
  await fails(["settings", "explain", "topic", "list", "--jsno"], 2, ["did you mean --json"], at);
});

test("where a broker's admin API listens and where others find it are two settings", async () => {
  const at = home();
  at.env["KSTREAM_ADMIN"] = "http://elsewhere:1";
  at.env["KSTREAM_ADMIN_LISTEN"] = "off";
  const [served, asked] = [await explained("serve", at), await explained("clients", at)];
  const where = "KSTREAM_ADMIN_LISTEN in the environment";
  expect(served("admin")).toEqual({ value: "off", source: "environment", where });
  expect(asked("admin")).toMatchObject({ value: "http://elsewhere:1", source: "environment" });
  const all = await ok(["settings", "explain"], at);
  expect(all).toMatch(/^all +--admin +http:\/\/elsewhere:1 .* KSTREAM_ADMIN in/m);
  expect(all).toMatch(/^serve +--admin +off .* KSTREAM_ADMIN_LISTEN in/m);
  const child = await shell(
    `"${KSTREAM}" serve --memory --listen 127.0.0.1:0 --ready-file ready 2> log & ` +
      "until [ -e ready ]; do sleep 0.05; done; kill $!; wait; cat log ready",
    at,
  );
  expect(child.stdout).toContain("127.0.0.1:");
  expect(child.stdout).not.toContain("http");
});

test("settings that cannot be are refused, and nothing is written", async () => {
  const at = home();
  await ok(["profile", "set", "dev", "brokers=a:1"], at);
  const before = readFileSync(at.file, "utf8");
  for (
    const [setting, words] of [
      ["borkers=a", 'did you mean "brokers"'],
      ["consume.formt=a", 'did you mean "consume.format"'],
      ["serve.data=x", "there is no setting"],
      ["timeout=soon", "soon"],
      ["tls=perhaps", "neither true nor false"],
      ["brokers", "name=value"],
    ] as const
  ) {
    await fails(["profile", "set", "dev", setting], 2, [words], at);
  }
  await fails(["profile", "set", "a b", "brokers=a"], 2, ["cannot be the name"], at);
  await fails(["profile", "use", "dve"], 2, ['did you mean "dev"'], at);
  await fails(["profile", "use"], 2, ["--none"], at);
  await fails(["topic", "list", "--profile", "dve"], 2, ['did you mean "dev"'], at);
  await fails(["profile", "delete", "dev", "nobody"], 2, ['no profile "nobody"'], at);
  expect(readFileSync(at.file, "utf8")).toBe(before);
  await ok(["profile", "set", "dev", "--unset", "brokers"], at);
  expect(await ok(["profile", "show"], at)).toBe("dev (in use)\n  no settings\n");
  await ok(["profile", "delete", "dev"], at);
  expect(await ok(["profile", "list", "--json"], at)).toBe("[]\n");
  await fails(["profile", "show"], 1, ["no profile is in use"], at);
});

test("a password comes from standard input, and a file that others can read is told of", async () => {
  const at = home();
  await shell("echo geheim | kstream profile set dev sasl-password=- brokers=127.0.0.1:5", at);
  expect(readFileSync(at.file, "utf8")).toContain('sasl-password = "geheim"\n');
  chmodSync(at.file, 0o644);
  const { stderr } = await kstream(["topic", "list", "--sasl-user", "me"], at);
  expect(stderr).toContain("others can read");
  expect(stderr).toContain("chmod 600");
  writeFileSync(at.file, "current = [");
  await fails(["topic", "list"], 2, ["cannot read the profiles", at.file], at);
});
