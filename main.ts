import { runProgram } from "./cmd/program.ts";
import manifest from "./deno.json" with { type: "json" };

process.exitCode = await runProgram(process.argv.slice(2), manifest.version);
