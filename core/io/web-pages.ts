/** The web pages of the admin server, as they were built. */

/** A file as it is sent; who takes neither compression gets `gzip` unpacked. */
export interface PageFile {
  readonly type: string;
  readonly gzip: Uint8Array<ArrayBuffer>;
  readonly brotli: Uint8Array<ArrayBuffer>;
}

/** Reads the files, by their path below `/ui/`; gives null where they have not been built. */
export type LoadPages = () => Promise<ReadonlyMap<string, PageFile> | null>;
