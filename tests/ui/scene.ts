/**
 * A broker and a browser that looks at its pages. What no page may do is noted as it happens: errors
 * of the console, and requests to other hosts.
 */
import { violationsOf } from "./axe.ts";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import {
  type BrokerProcess,
  type BrokerProcessOptions,
  startBrokerProcess,
} from "../harness/broker-process.ts";
import { needChromium, startBrowser } from "./browser.ts";

/** Where the pictures are kept. */
const PICTURES = join(import.meta.dir, "../out/ui");
/** How long anything may take that a test waits for. */
export const PATIENCE_MS = 30_000;

/** A way to look at the pages. */
export const LOOKS = {
  light: { viewport: { width: 1400, height: 900 }, colorScheme: "light" },
  dark: { viewport: { width: 1400, height: 900 }, colorScheme: "dark" },
  phone: { viewport: { width: 360, height: 740 }, colorScheme: "light" },
} as const;
export type Look = keyof typeof LOOKS;

/** What a window may have. */
export interface WindowOptions {
  /** Who the browser says that it is, when it is asked. */
  readonly user?: { readonly username: string; readonly password: string };
  /** Whether its time can be moved on (`page.clock`), which takes all timers of the page along. */
  readonly hasClock?: boolean;
}

/** See the head of the file. */
export class Scene {
  readonly #faults: string[] = [];
  readonly #contexts: BrowserContext[] = [];

  private constructor(readonly broker: BrokerProcess, readonly browser: Browser) {}

  /** The address of the admin server. */
  get admin(): string {
    if (this.broker.admin === null) throw new Error("the broker has no admin server");
    return this.broker.admin;
  }

  /** Starts both. */
  static async start(
    args: readonly string[] = [],
    options: Pick<BrokerProcessOptions, "logDirs"> = {},
  ): Promise<Scene> {
    const missing = await needChromium();
    if (missing !== null) throw new Error(missing);
    const broker = await startBrokerProcess({
      ...options,
      args: ["--admin", "127.0.0.1:0", ...args],
    });
    try {
      return new Scene(broker, await startBrowser());
    } catch (error) {
      await broker.stop();
      throw error;
    }
  }

  /** A page at a path of ours, in a window of its own. */
  async open(path: string, look: Look = "light", options: WindowOptions = {}): Promise<Page> {
    const { user, hasClock = false } = options;
    const context = await this.browser.newContext({
      ...LOOKS[look],
      reducedMotion: "reduce",
      ...(user !== undefined && { httpCredentials: user }),
    });
    context.setDefaultTimeout(PATIENCE_MS);
    this.#contexts.push(context);
    const page = await context.newPage();
    if (hasClock) await page.clock.install();
    page.on("console", (message) => {
      if (message.type() === "error") this.#faults.push(`console at ${path}: ${message.text()}`);
    });
    page.on("pageerror", (error) => this.#faults.push(`error at ${path}: ${error.stack}`));
    page.on("request", (request) => {
      const url = new URL(request.url());
      const isOwn = url.origin === new URL(this.admin).origin;
      if (!isOwn && !["data:", "blob:"].includes(url.protocol)) {
        this.#faults.push(`request at ${path} to ${request.url()}`);
      }
    });
    await page.goto(`${this.admin.replace(/\/$/, "")}/ui${path}`);
    return page;
  }

  /** Writes records, as `consume -f json` shows them. */
  async produce(topic: string, records: readonly Readonly<Record<string, unknown>>[]) {
    const body = records.map((record) => JSON.stringify(record) + "\n").join("");
    const headers = { "content-type": "application/x-ndjson" };
    const url = `${this.admin.replace(/\/$/, "")}/v1/topics/${topic}/records`;
    const answer = await fetch(url, { method: "POST", headers, body });
    if (!answer.ok) throw new Error(await answer.text());
  }

  /** Keeps a picture. */
  async picture(page: Page, name: string): Promise<void> {
    mkdirSync(PICTURES, { recursive: true });
    await page.screenshot({ path: join(PICTURES, `${name}.png`) });
  }

  /** What axe-core finds that is serious or critical, as lines. */
  async inaccessible(page: Page): Promise<string[]> {
    return await violationsOf(page);
  }

  /** By how much the page is wider than the window. */
  async widthOver(page: Page): Promise<number> {
    return await page.evaluate(
      "Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth)",
    );
  }

  /** What went wrong so far, and forgets it. */
  faults(): string[] {
    return this.#faults.splice(0);
  }

  /** Closes the windows that are open. */
  async closeWindows(): Promise<void> {
    await Promise.all(this.#contexts.splice(0).map((context) => context.close()));
  }

  /** Ends both. */
  async stop(): Promise<void> {
    await this.browser.close();
    await this.broker.stop();
  }
}
