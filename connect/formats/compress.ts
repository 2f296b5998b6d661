/** Whole files compressed, a piece at a time: gzip's members and zstd's frames may follow one another. */
import { gzip } from "node:zlib";

export type FileCompression = "none" | "gzip" | "zstd";

/** What names of such files end with. */
export const COMPRESSION_SUFFIXES: Readonly<Record<FileCompression, string>> = {
  none: "",
  gzip: ".gz",
  zstd: ".zst",
};

/** A piece of a file; not on the calling thread. */
export function compressPiece(
  compression: FileCompression,
  bytes: Uint8Array,
): Promise<Uint8Array> {
  switch (compression) {
    case "none":
      return Promise.resolve(bytes);
    case "gzip":
      return new Promise((resolve, reject) =>
        gzip(bytes, (error, packed) => error === null ? resolve(packed) : reject(error))
      );
    case "zstd":
      return Bun.zstdCompress(Uint8Array.from(bytes));
  }
}
