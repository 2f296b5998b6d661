/**
 * `meta.properties`, which says whose a data directory is, in Kafka's format (version 1, KIP-858):
 *
 *     cluster.id=…      22 characters, base64url
 *     directory.id=…    22 characters, base64url
 *     node.id=1
 *     version=1
 */
import { OperatorError } from "../core/operator-error.ts";
import type { Disk, Random } from "../core/io.ts";
import { META_PROPERTIES_FILE } from "./names.ts";
import { readSmallText, writeSmallText } from "./small-files.ts";

/** The format of the data directory that this program writes, and the newest that it reads. */
export const DATA_DIR_VERSION = 1;

/** Whose a data directory is. */
export interface MetaProperties {
  readonly clusterId: string;
  readonly directoryId: string;
  readonly nodeId: number;
}

/** The text of the file. */
export function formatMetaProperties(meta: MetaProperties): string {
  return `cluster.id=${meta.clusterId}\ndirectory.id=${meta.directoryId}\n` +
    `node.id=${meta.nodeId}\nversion=${DATA_DIR_VERSION}\n`;
}

/** Reads the file; throws an `OperatorError` if it can't be used. */
export function parseMetaProperties(path: string, text: string): MetaProperties {
  const values = new Map<string, string>();
  for (const line of text.split("\n")) {
    const at = line.indexOf("=");
    if (!line.startsWith("#") && at > 0) {
      values.set(line.slice(0, at).trim(), line.slice(at + 1).trim());
    }
  }
  const version = Number(values.get("version"));
  if (Number.isInteger(version) && version > DATA_DIR_VERSION) {
    throw new OperatorError(
      `cannot open the data directory ${path}`,
      `it was written in format ${version}, this program knows formats up to ${DATA_DIR_VERSION}`,
      "use the newer program that wrote it, or another --data directory",
    );
  }
  const clusterId = values.get("cluster.id");
  const directoryId = values.get("directory.id");
  const nodeId = Number(values.get("node.id"));
  const isWhole = version === DATA_DIR_VERSION && clusterId && directoryId;
  if (!isWhole || !Number.isInteger(nodeId) || nodeId < 0) {
    throw new OperatorError(
      `cannot open the data directory ${path}`,
      "its meta.properties is damaged",
      "restore that file, or use another --data directory",
    );
  }
  return { clusterId, directoryId, nodeId };
}

/** A fresh id in Kafka's form: 22 characters of base64url that do not begin with a dash. */
export function randomId(random: Random): string {
  for (;;) {
    const id = Buffer.from(random.bytes(16)).toString("base64url");
    if (!id.startsWith("-")) return id;
  }
}

/** What the directory says of itself; null if it is fresh. Throws an `OperatorError`. */
export function readMetaProperties(disk: Disk, path: string): MetaProperties | null {
  const text = readSmallText(disk, `${path}/${META_PROPERTIES_FILE}`);
  return text === null ? null : parseMetaProperties(path, text);
}

/**
 * Whose the data directory is; a fresh one is given to the node. Throws an `OperatorError` if it is
 * another's or can't be used, and a `DiskError`.
 */
export async function loadMetaProperties(
  io: { readonly disk: Disk; readonly random: Random },
  options: { readonly path: string; readonly nodeId: number; readonly clusterId?: string },
): Promise<MetaProperties> {
  const path = `${options.path}/${META_PROPERTIES_FILE}`;
  const meta = readMetaProperties(io.disk, options.path);
  if (meta === null) {
    const fresh = {
      clusterId: options.clusterId ?? randomId(io.random),
      directoryId: randomId(io.random),
      nodeId: options.nodeId,
    };
    await writeSmallText(io.disk, path, formatMetaProperties(fresh));
    return fresh;
  }
  const isOther = options.clusterId !== undefined && options.clusterId !== meta.clusterId;
  if (isOther || meta.nodeId !== options.nodeId) {
    throw new OperatorError(
      `cannot open the data directory ${options.path}`,
      `it belongs to node ${meta.nodeId} of cluster ${meta.clusterId}`,
      "use the directory of this node, or an empty one",
    );
  }
  return meta;
}
