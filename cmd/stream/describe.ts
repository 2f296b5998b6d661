/** `kstream stream describe` and `diff`: what an application is made of, and what a change of it means. */
import { readFileSync } from "node:fs";
import { OperatorError } from "../../core/operator-error.ts";
import type { TopologyDescription } from "../../core/streams/topology-description.ts";
import { describeTopology } from "../../stream/topology/describe.ts";
import { descriptionMermaid, descriptionText } from "../../stream/topology/description-text.ts";
import {
  type ChangeEffect,
  type TopologyChange,
  topologyChanges,
} from "../../stream/topology/difference.ts";
import { readDescription } from "../../stream/topology/saved-description.ts";
import type { Tone } from "../color.ts";
import { count, formatTable, print, printJson } from "../output.ts";
import { reasonOf } from "../reason.ts";
import { say } from "../terminal.ts";
import { type AppConfig, loadApp, parseSettings } from "./load-app.ts";

/** How a description is printed. */
export type Format = "text" | "mermaid" | "json";

/** `kstream stream describe`. */
export async function describeApp(
  path: string | undefined,
  options: {
    readonly format: Format;
    readonly set?: readonly string[] | undefined;
    readonly live?: string | undefined;
    readonly queriesToken?: string | undefined;
    readonly queriesCa?: string | undefined;
    readonly timeout: number;
  },
): Promise<void> {
  const { live } = options;
  if (live !== undefined && path === undefined) {
    return await (await import("./describe-live.ts")).describeLive({ ...options, live });
  }
  if (live !== undefined || path === undefined) {
    const why = path === undefined ? "neither a file nor --live is given" : "both are given";
    throw new OperatorError("it is not said what to describe", why, "give a file, or --live", 2);
  }
  const description = await descriptionOf(path, parseSettings(options.set));
  switch (options.format) {
    case "json":
      return await printJson(description);
    case "mermaid":
      return await print(descriptionMermaid(description));
    case "text":
      return await print(descriptionText(description));
  }
}

/** `kstream stream diff`. Exit code 1 where something has to be reset. */
export async function diffApps(
  before: string,
  after: string,
  options: { readonly json?: boolean | undefined; readonly set?: readonly string[] | undefined },
): Promise<void> {
  const config = parseSettings(options.set);
  const changes = topologyChanges(
    await descriptionOf(before, config),
    await descriptionOf(after, config),
  );
  const resets = changes.filter(({ effect }) => effect === "reset").length;
  if (options.json === true) await printJson({ compatible: resets === 0, changes });
  else await printChanges(changes);
  if (resets > 0) {
    const what = `${count(resets, "change")} cannot go on with what is stored`;
    throw new OperatorError(what, "", "give the application another id, or kstream stream reset");
  }
}

const TONES: Readonly<Record<ChangeEffect, Tone>> = {
  reset: "bad",
  orphan: "notice",
  begin: "notice",
  note: "good",
};

async function printChanges(changes: readonly TopologyChange[]): Promise<void> {
  if (changes.length === 0) return say("nothing that is kept in topics or on disk has changed");
  await print(formatTable(changes, [
    { title: "EFFECT", cell: ({ effect }) => effect, tone: ({ effect }) => TONES[effect] },
    { title: "WHAT", cell: ({ what }) => what },
    { title: "NAME", cell: ({ name }) => name },
    { title: "WHY", cell: ({ detail }) => detail, whole: true },
  ]));
}

/** Of a module, or of JSON that `describe` has printed. */
async function descriptionOf(path: string, config: AppConfig): Promise<TopologyDescription> {
  if (!path.endsWith(".json")) return describeTopology((await loadApp(path, config)).topology);
  const read = readDescription(textOf(path));
  if ("description" in read) return read.description;
  const hint = "it is to be what kstream stream describe --format json prints";
  throw new OperatorError(`${path} is no description`, read.problem, hint, 2);
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new OperatorError(`cannot read ${path}`, reasonOf(error), "", 2);
  }
}
