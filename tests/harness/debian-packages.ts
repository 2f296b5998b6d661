/**
 * Programs from Debian's packages without installing them: packages and what they depend on are
 * unpacked into a folder of the cache, once. So tests need no rights and change no system.
 */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { run } from "./process.ts";

const TIMEOUT_MS = 600_000;
/** Where the tests keep what they bring in, outside the checkout. */
export const CACHE = process.env["KSTREAM_COMPAT_CACHE"] ??
  join(homedir(), ".cache/kstream-compat");

/** Packages that are unpacked into one folder. */
export class DebianPackages {
  readonly #folder: string;
  readonly #names: readonly string[];

  constructor(folder: string, ...names: readonly string[]) {
    this.#folder = join(CACHE, folder);
    this.#names = names;
  }

  /** A file of the packages, as `usr/bin/redis-server`. */
  path(file: string): string {
    return join(this.#folder, file);
  }

  /** Brings them in, with what the system lacks of their dependencies. Null, or why it cannot. */
  async need(): Promise<string | null> {
    const stamp = join(this.#folder, `.complete-${this.#names.join("-")}`);
    if (existsSync(stamp)) return null;
    const wanted = `needs ${this.#names.join(", ")} (apt-get install ${this.#names.join(" ")})`;
    if (Bun.which("apt-get") === null || Bun.which("dpkg-deb") === null) return wanted;
    mkdirSync(this.#folder, { recursive: true });
    const failed = await this.#download();
    if (failed !== null) return `${wanted}: ${failed}`;
    for (const archive of readdirSync(this.#folder).filter((file) => file.endsWith(".deb"))) {
      await this.#run("dpkg-deb", "-x", archive, this.#folder);
    }
    writeFileSync(stamp, "");
    return null;
  }

  /** `LD_LIBRARY_PATH` for its programs: the folders of libraries that came along. */
  libraryPath(): string {
    const found = new Bun.Glob("usr/lib/*-linux-gnu/**/*.so*");
    const folders = new Set<string>();
    for (const path of found.scanSync({ cwd: this.#folder, absolute: true, onlyFiles: false })) {
      folders.add(path.slice(0, path.lastIndexOf("/")));
    }
    return [...folders, process.env["LD_LIBRARY_PATH"]].filter(Boolean).join(":");
  }

  /** Reads the package lists anew if the first try fails, since a machine may have none or old ones. */
  async #download(): Promise<string | null> {
    const first = await this.#downloadOnce();
    if (first === null || process.getuid?.() !== 0) return first;
    await this.#run("apt-get", "update", "-qq");
    return await this.#downloadOnce();
  }

  async #downloadOnce(): Promise<string | null> {
    const install = ["install", "--reinstall", "--print-uris", "-y", "-qq"];
    const listed = await this.#run(
      ...["apt-get", ...install, "--no-install-recommends", ...this.#names],
    );
    const names = [...listed.stdout.matchAll(/^'[^']*' ([^_\s]+)_/gm)].map(([, name]) => name!);
    if (names.length === 0) return "no such package is to be had";
    const got = await this.#run("apt-get", "download", "-qq", ...names);
    return got.exitCode === 0 ? null : got.stderr.trim().split("\n").at(-1) ?? "it failed";
  }

  #run(...command: readonly string[]) {
    return run([...command], { cwd: this.#folder, timeoutMs: TIMEOUT_MS });
  }
}
