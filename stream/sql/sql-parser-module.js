// The SQL parser: Apache DataFusion's sqlparser-rs, as WebAssembly. Its files are imported by their
// path, since the package's own loader reads the module from beside its script, which a single
// executable does not have. In plain JavaScript: the type checker would take the file for a module of
// its own. It reads its own code and no data, so it passes the seams by.
import {
  initSync,
  parse_sql,
} from "../../node_modules/@guanmingchiu/sqlparser-ts/wasm/sqlparser_rs_wasm.js";
import path from "../../node_modules/@guanmingchiu/sqlparser-ts/wasm/sqlparser_rs_wasm_bg.wasm" with {
  type: "file",
};

export async function load() {
  initSync({ module: await Bun.file(path).arrayBuffer() });
  return (text) => parse_sql("postgresql", text);
}
