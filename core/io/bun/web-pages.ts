/**
 * The built pages: in the binary as an embedded file, from source in `dist/ui/`, where
 * `scripts/build-ui.ts` puts them.
 */
import { join } from "node:path";
import type { PageFile } from "../web-pages.ts";

/** See `LoadPages`. */
export async function bunLoadPages(): Promise<ReadonlyMap<string, PageFile> | null> {
  const embedded = Bun.embeddedFiles
    .find((file) => "name" in file && /pages[^/]*\.bundle$/.test(String(file.name)));
  const bundle = embedded ?? Bun.file(join(import.meta.dir, "../../../dist/ui/pages.bundle"));
  let text: string;
  try {
    text = await bundle.text();
  } catch {
    return null;
  }
  const { files }: { files: Record<string, Record<keyof PageFile, string>> } = JSON.parse(text);
  return new Map(
    Object.entries(files).map(([path, { type, gzip, brotli }]) => {
      return [path, { type, gzip: bytesOf(gzip), brotli: bytesOf(brotli) }];
    }),
  );
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromBase64(base64);
}
