import { runProgram } from "./cmd/program.ts";
import manifest from "./deno.json" with { type: "json" };

// At once, whatever connections a failure left open: all output is written by then.
process.exit(await runProgram(process.argv.slice(2), manifest.version));
