/** Help, man pages and docs/commands.md: complete, readable, up to date. */
import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { manPages } from "../scripts/reference/man.ts";
import { commandsMarkdown } from "../scripts/reference/markdown.ts";
import { referencePages } from "../scripts/reference/pages.ts";

const pages = await referencePages();

test("every command has a description, examples of itself, and a word for each option", () => {
  expect(pages.length).toBeGreaterThan(30);
  for (const { path, description, examples, optionGroups, arguments: inputs } of pages) {
    expect([path, description]).toEqual([path, expect.stringMatching(/^[A-Z].*[.]$/s)]);
    const words = path.replace("kstream ", "");
    const shown = examples.filter((line) => line.includes(words));
    expect([path, "has examples", shown.length > 0]).toEqual([path, "has examples", true]);
    for (const { name, text } of [...inputs, ...optionGroups.flatMap(({ options }) => options)]) {
      expect([path, name, text === ""]).toEqual([path, name, false]);
    }
  }
});

test("docs/commands.md is what the commands say: make docs", () => {
  const written = readFileSync(join(import.meta.dir, "../docs/commands.md"), "utf8");
  const normal = (text: string) => text.replace(/\\/g, "").replace(/\s+/g, " ").trim();
  expect(normal(written)).toBe(normal(commandsMarkdown(pages)));
});

test.skipIf(Bun.which("groff") === null)("man pages are what groff expects, whole", async () => {
  const directory = mkdtempSync(join(tmpdir(), "kstream-man-"));
  for (const [name, text] of manPages(pages, "1.2.3")) {
    const file = join(directory, name);
    writeFileSync(file, text);
    const groff = Bun.spawn(["groff", "-man", "-Tutf8", "-ww", "-P-cbou", file], {
      stderr: "pipe",
    });
    const [shown, complaints] = await Promise.all([
      new Response(groff.stdout).text(),
      new Response(groff.stderr).text(),
    ]);
    expect([name, complaints]).toEqual([name, ""]);
    expect(shown).toContain("EXIT STATUS");
    const page = pages.find(({ path }) => `${path.replaceAll(" ", "-")}.1` === name);
    for (const { options } of page?.optionGroups ?? []) {
      for (const option of options) expect(shown).toContain(option.name);
    }
    for (const example of page?.examples ?? []) expect(shown).toContain(example);
  }
  rmSync(directory, { recursive: true });
}, 60_000);
